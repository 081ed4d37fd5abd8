"""What the proxies of one namespace see: services, rules and policies, by host.

Everything that outbound configuration depends on is reached through a `Scope`, so that it can be
shared by all proxies with the same scope.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from meshcourse.embedded.istio import destination_rules, sidecars, virtual_services, visibility
from meshcourse.embedded.istio.destination_rules import Rule
from meshcourse.embedded.istio.localities import Client
from meshcourse.embedded.istio.model import (
    Config,
    Endpoint,
    MeshConfig,
    Service,
    ServiceKey,
    Snapshot,
)
from meshcourse.embedded.istio.virtual_services import VirtualService


@dataclass(eq=False)
class Scope:
    """The view of a namespace.

    :param labels: the client labels that rules may look at, with this client's values.
    :param locality: of the client, ``region/zone/subzone``.
    :param services: visible services by host name (one per name: the namespace's own first, else
        the oldest).
    :param rules: VirtualServices bound to the mesh, in order of precedence.
    :param ports: the services (and ports) that a Sidecar imports; None means all.
    :param sidecar: the Sidecar in force.
    :param attempts: whether destinations are told how often a request was tried.
    :param sampling: percent of traces that clients here start, None without a tracer.
    """

    snapshot: Snapshot
    namespace: str
    labels: Mapping[str, str]
    locality: str
    index: destination_rules.Index
    services: Mapping[str, Service]
    rules: list[VirtualService]
    all_rules: list[VirtualService]
    ports: sidecars.Ports | None = None
    sidecar: Config | None = None
    sampling: float | None = None
    attempts: bool = True
    _found: dict[str, Rule | None] = field(default_factory=dict)
    _aliases: dict[str, list[Service]] | None = None

    @property
    def mesh(self) -> MeshConfig:
        return self.snapshot.mesh

    @property
    def outbound_policy(self) -> str:
        """ALLOW_ANY or REGISTRY_ONLY."""
        return sidecars.outbound_policy(self.sidecar, self.mesh.outbound_policy)

    def routed(self, service: Service, port: int) -> bool:
        """Whether clients may call a service port by its name (a Sidecar may exclude it)."""
        if self.ports is None:
            return True
        allowed = self.ports.get(service.hostname, frozenset())
        return allowed is None or port in allowed

    def service(self, host: str) -> Service | None:
        """The service of that host name."""
        return self.services.get(host)

    def aliases(self, service: Service) -> tuple[Service, ...]:
        """ExternalName services that stand for a service of the registry."""
        if self._aliases is None:
            self._aliases = {}
            for one in self.services.values():
                if self.is_alias(one):
                    self._aliases.setdefault(one.external_name, []).append(one)
        return tuple(self._aliases.get(service.hostname, ()))

    def is_alias(self, service: Service) -> bool:
        """Whether a service is only another name of one that is visible."""
        return service.external_name in self.services

    def destination_rule(self, host: str) -> Rule | None:
        """The DestinationRule in force for a host."""
        if host not in self._found:
            service = self.services.get(host)
            namespace = service.namespace if service else ""
            self._found[host] = self.index.find(host, namespace, self.namespace, self.labels)
        return self._found[host]

    def endpoints(self, service: Service, port: int) -> tuple[Endpoint, ...]:
        """The endpoints behind a service port."""
        key = ServiceKey(service.namespace, service.hostname)
        return self.snapshot.endpoints.get(key, {}).get(port, ())


def visible_services(snapshot: Snapshot, namespace: str) -> dict[str, Service]:
    """Services by host name as seen from a namespace."""
    result: dict[str, Service] = {}
    for service in snapshot.services.values():
        if not visibility.visible(service.export_to, service.namespace, namespace):
            continue
        known = result.get(service.hostname)
        if known is None or (service.namespace == namespace and known.namespace != namespace):
            result[service.hostname] = service
    return result


def build(
    snapshot: Snapshot,
    namespace: str,
    client: Client,
    rules: list[VirtualService],
    index: destination_rules.Index,
) -> Scope:
    """The scope of a namespace without a Sidecar; `rules` are all VirtualServices, oldest first."""
    services = visible_services(snapshot, namespace)
    bound = virtual_services.for_gateway(rules, virtual_services.MESH, namespace, snapshot.mesh)
    return Scope(
        snapshot=snapshot,
        namespace=namespace,
        labels=client.labels,
        locality=client.locality,
        index=index,
        services=services,
        rules=[one for one in bound if _governs(one, namespace, services)],
        all_rules=rules,
    )


def _governs(rule: VirtualService, namespace: str, services: Mapping[str, Service]) -> bool:
    """Routes of the Gateway API govern calls to services of their own namespace, and calls from it."""
    if rule.semantics != "gateway" or rule.namespace == namespace:
        return True
    called = (services.get(host) for host in rule.hosts)
    return any(one is not None and one.namespace == rule.namespace for one in called)


def restricted(whole: Scope, sidecar: Config) -> Scope:
    """The part of a scope that a Sidecar imports."""
    listeners = sidecars.egresses(sidecar, whole.namespace)
    rules = sidecars.rules(whole.rules, listeners)
    ports = sidecars.served(whole.services, listeners)
    known = {*ports, *sidecars.reached(rules, whole.services, ports)}
    services = {host: one for host, one in whole.services.items() if host in known}
    return replace(
        whole,
        services=services,
        rules=rules,
        ports=ports,
        sidecar=sidecar,
        _found={},
        _aliases=None,
    )
