"""What every controller is given, and the settings of the whole manager."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field

from meshcourse.embedded.client import events, shared
from meshcourse.embedded.client.informer import Informer
from meshcourse.embedded.client.protocol import Client
from meshcourse.embedded.controllers import kinds
from meshcourse.embedded.kube import refs

#: How the real controllers identify themselves in managedFields.
FIELD_MANAGER = "kube-controller-manager"


@dataclass(frozen=True, slots=True)
class Options:
    """Settings of the manager.

    :ivar root_ca: PEM of the cluster's CA for the ConfigMap ``kube-root-ca.crt``.
    :ivar resources: built-in kinds that namespaces may hold and that may own or be owned; kinds of custom resources
        are found through their definitions.
    :ivar addresses_per_service: False where the system has only one loopback address (macOS).
    :ivar hpa_period: seconds between two looks at metrics. Kubernetes' default is 15; a learner waits less with 5.
    :ivar hpa_tolerance: relative difference from the target that is left alone.
    :ivar hpa_down_window: seconds over which a scale-down takes the highest recommendation (Kubernetes: 300).
    :ivar cpu_initialization: seconds after a pod's start in which its CPU use counts only if it is ready and measured
        since (Kubernetes: 300).
    :ivar initial_readiness: seconds after a pod's start in which it counts as not ready yet (Kubernetes: 30).
    :ivar event_ttl: seconds an Event is kept, as the real API server does.
    """

    root_ca: str = ""
    resources: Sequence[refs.Resource] = kinds.BUILT_IN
    addresses_per_service: bool = sys.platform == "linux"
    hpa_period: float = 5.0
    hpa_tolerance: float = 0.1
    hpa_down_window: float = 300.0
    cpu_initialization: float = 300.0
    initial_readiness: float = 30.0
    event_ttl: float = 3600.0


@dataclass(slots=True)
class Context:
    """Shared by all controllers of one manager."""

    client: Client
    informers: shared.SharedInformers
    cluster_number: int
    options: Options = field(default_factory=Options)
    recorders: dict[str, events.Recorder] = field(default_factory=dict)

    def informer(self, resource: refs.Resource) -> Informer:
        return self.informers.informer(resource)

    def recorder(self, component: str) -> events.Recorder:
        """The recorder of a component, for example ``deployment-controller``."""
        if component not in self.recorders:
            self.recorders[component] = events.Recorder(self.client, component)
        return self.recorders[component]
