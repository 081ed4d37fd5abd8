"""What conversion looks at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from meshcourse.embedded.istio.model import (
    Config,
    Endpoint,
    MeshConfig,
    Namespace,
    Secret,
    Service,
    ServiceKey,
)
from meshcourse.embedded.kube import refs
from meshcourse.embedded.kube.objects import Key


@dataclass(frozen=True, slots=True, eq=False)
class Context:
    """The parts of a snapshot that Gateway API objects refer to.

    :param authorities: ConfigMaps with ``ca.crt``.
    """

    configs: Mapping[refs.Resource, tuple[Config, ...]]
    services: Mapping[ServiceKey, Service]
    endpoints: Mapping[ServiceKey, Mapping[int, tuple[Endpoint, ...]]]
    namespaces: Mapping[str, Namespace]
    secrets: Mapping[Key, Secret]
    authorities: Mapping[Key, Secret]
    mesh: MeshConfig

    def of_kind(self, resource: refs.Resource) -> tuple[Config, ...]:
        """Objects of a kind, oldest first."""
        return self.configs.get(resource, ())

    def host(self, key: Key) -> str:
        """The full name of a Kubernetes Service."""
        return f"{key.name}.{key.namespace}.svc.{self.mesh.domain}"

    def service(self, key: Key) -> Service | None:
        """A Kubernetes Service by namespace and name."""
        found = self.services.get(ServiceKey(key.namespace, self.host(key)))
        return found if found and found.registry == "Kubernetes" else None

    def service_entry(self, key: Key) -> Config | None:
        """A ServiceEntry by namespace and name."""
        found = self.of_kind(refs.SERVICEENTRIES)
        return next((one for one in found if (one.namespace, one.name) == key), None)
