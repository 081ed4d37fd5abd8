"""Everything known about the mesh at one moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from meshcourse.embedded.istio.model.config import Config, Namespace, Secret
from meshcourse.embedded.istio.model.converted import Converted
from meshcourse.embedded.istio.model.mesh import MeshConfig
from meshcourse.embedded.istio.model.proxy import Proxy, ProxyKind
from meshcourse.embedded.istio.model.service import Endpoint, Service
from meshcourse.embedded.istio.model.workload import Workload
from meshcourse.embedded.kube import refs
from meshcourse.embedded.kube.objects import Key


class ServiceKey(NamedTuple):
    """A service is one host name in one namespace (several ServiceEntries may declare the same
    host).
    """

    namespace: str
    hostname: str


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """An immutable view of the cluster.

    :param services: by namespace and host name, oldest first within a host name.
    :param endpoints: for each service, endpoints by service port number.
    :param workloads: pods (with an address) by namespace and name.
    :param configs: by kind, oldest first (Istio's conflict rule).
    :param authorities: ConfigMaps with certificate authorities (``ca.crt``).
    :param keys: JSON web key sets by URI, as istiod fetched them.
    :param converted: what Gateway API and Ingress objects stand for, in Istio's kinds.
    :param sources: what ingest remembers to parse only what changed; nobody else reads it.
    """

    mesh: MeshConfig = field(default_factory=MeshConfig)
    namespaces: Mapping[str, Namespace] = field(default_factory=dict)
    services: Mapping[ServiceKey, Service] = field(default_factory=dict)
    endpoints: Mapping[ServiceKey, Mapping[int, tuple[Endpoint, ...]]] = field(default_factory=dict)
    workloads: Mapping[Key, Workload] = field(default_factory=dict)
    configs: Mapping[refs.Resource, tuple[Config, ...]] = field(default_factory=dict)
    secrets: Mapping[Key, Secret] = field(default_factory=dict)
    authorities: Mapping[Key, Secret] = field(default_factory=dict)
    keys: Mapping[str, str] = field(default_factory=dict)
    converted: Converted = field(default_factory=Converted)
    sources: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def of_kind(self, resource: refs.Resource) -> tuple[Config, ...]:
        """Objects of a kind (``refs.VIRTUALSERVICES`` …), oldest first."""
        return self.configs.get(resource, ())

    @property
    def gateways(self) -> tuple[Config, ...]:
        """All Gateways of Istio's kind, converted ones among them, oldest first."""
        return _by_age(self.of_kind(refs.GATEWAYS), self.converted.gateways)

    @property
    def rules(self) -> tuple[Config, ...]:
        """All VirtualServices, converted ones among them, oldest first."""
        return _by_age(self.of_kind(refs.VIRTUALSERVICES), self.converted.rules)

    def proxy(self, namespace: str, pod: str) -> Proxy | None:
        """The proxy in a pod; None if the pod is unknown or has none."""
        workload = self.workloads.get(Key(namespace, pod))
        if workload is None or not workload.proxy:
            return None
        return Proxy(ProxyKind(workload.proxy), workload, f"{namespace}.svc.{self.mesh.domain}")


def _by_age(written: tuple[Config, ...], converted: tuple[Config, ...]) -> tuple[Config, ...]:
    if not converted:
        return written
    return tuple(sorted((*written, *converted), key=lambda one: one.age_key))
