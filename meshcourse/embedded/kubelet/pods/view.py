"""One pod as its containers see it: identity, the newest object, addresses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from meshcourse.embedded.kube import objects
from meshcourse.embedded.kube.addresses import PodAddresses
from meshcourse.embedded.kube.objects import Object
from meshcourse.embedded.kubelet import addressing
from meshcourse.embedded.kubelet.context import NodeContext
from meshcourse.embedded.kubelet.pods import environment

HOST_IP = "127.0.0.1"


@dataclass(slots=True)
class PodView:
    """Mutable only in `pod`, which the worker replaces when the object changes.

    :param service_account: tokens for projected volumes are asked for this account.
    """

    node: NodeContext
    pod: Object
    addresses: PodAddresses
    uid: str = field(init=False)
    namespace: str = field(init=False)
    name: str = field(init=False)

    def __post_init__(self) -> None:
        self.uid = objects.uid(self.pod)
        self.namespace = objects.namespace(self.pod)
        self.name = objects.name(self.pod)

    @property
    def spec(self) -> Object:
        found: Object = self.pod.get("spec") or {}
        return found

    @property
    def service_account(self) -> str:
        return str(self.spec.get("serviceAccountName") or "default")

    @property
    def full_name(self) -> str:
        """``name_namespace(uid)``, as a kubelet's messages have it."""
        return f"{self.name}_{self.namespace}({self.uid})"

    def listen_host(self, container: Object) -> str:
        """The address at which a container listens."""
        if addressing.listens_at_app(container):
            return self.addresses.app_ip
        return self.addresses.pod_ip

    def endpoint(self, container: Object, port: int) -> tuple[str, int]:
        """Host and port at which `container` itself listens for its container port."""
        if addressing.listens_at_app(container):
            return self.addresses.app(port)
        return self.addresses.pod(port)

    def ports(self) -> dict[str, tuple[int, int]]:
        """``MESHCOURSE_PORTS``: container port → the pod's and the application's real port, where they differ."""
        return {str(port): pair for port, pair in self.addresses.ports.items()}

    def fields(self) -> Mapping[str, str]:
        """Values for field references that the cached object may not have yet."""
        return {
            "status.podIP": self.addresses.pod_ip,
            "status.podIPs": self.addresses.pod_ip,
            "status.hostIP": HOST_IP,
            "status.hostIPs": HOST_IP,
        }

    def sources(self) -> environment.Sources:
        """Where the values of environment variables and downward files come from."""
        found = self.node.objects
        return environment.Sources(
            pod=self.pod,
            fields=self.fields(),
            configmap=lambda name: found.configmap(self.namespace, name),
            secret=lambda name: found.secret(self.namespace, name),
            services=found.services(self.namespace),
            capacity=self.node.capacity,
        )
