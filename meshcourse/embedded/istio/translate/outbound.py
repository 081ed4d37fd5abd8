"""The parts that all proxies of a scope share: clusters, endpoints, and the sidecars' route
configuration.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from meshcourse.embedded.istio import (
    destination_rules,
    hosts,
    localities,
    names,
    peer_authentication,
)
from meshcourse.embedded.istio import virtual_services as rules_of
from meshcourse.embedded.istio.build import (
    cluster_outbound,
    endpoints,
    route_http,
    route_outbound,
    route_tcp,
)
from meshcourse.embedded.istio.build.cluster_outbound import Target
from meshcourse.embedded.istio.destination_rules import Rule
from meshcourse.embedded.istio.localities import Client, Group
from meshcourse.embedded.istio.memo import Memo
from meshcourse.embedded.istio.model import Endpoint, Json, MeshConfig, Port, Protocol, Service
from meshcourse.embedded.istio.scope import Scope
from meshcourse.embedded.istio.virtual_services import VirtualService
from meshcourse.embedded.kube import refs

#: The rules for one host, in order of precedence.
Rules = tuple[VirtualService, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Shared:
    """Outbound resources of a scope."""

    clusters: dict[str, Json]
    endpoints: dict[str, Json]
    route: Json | None


class Outbound:
    """Builds the shared parts of one scope."""

    def __init__(self, scope: Scope, key: tuple[object, ...], memo: Memo, *, router: bool) -> None:
        self._scope = scope
        self._router = router
        self._key = key
        self._memo = memo

    def build(self) -> Shared:
        """Everything; routers have routes of their own and no capture listener."""
        clusters = {str(one["name"]): one for one in self._static()}
        assignments: dict[str, Json] = {}
        for target in self._targets():
            cluster = self._cluster(target)
            clusters[target.name] = cluster
            if cluster.get("type") == "EDS":
                assignments[target.name] = self._assignment(target)
        if not self._router:
            clusters |= {str(one["name"]): one for one, _ in self._unrouted()}
        return Shared(clusters, assignments, None if self._router else self._route())

    def _static(self) -> list[Json]:
        mesh = self._scope.mesh
        found: list[Json] = self._memo.get(
            "static-clusters", (mesh,), lambda: list(cluster_outbound.static(mesh))
        )
        if not self._router:
            return found
        return [one for one in found if one["name"] != names.CAPTURE]

    def _targets(self) -> Iterator[Target]:
        for host in sorted(self._scope.services):
            service = self._scope.services[host]
            if self._scope.is_alias(service):
                continue
            rule = self._scope.destination_rule(host)
            for port in service.ports:
                if port.protocol is Protocol.UDP:
                    continue
                found = self._scope.endpoints(service, port.number)
                subsets = [str(one.get("name", "")) for one in rule.subsets] if rule else []
                for subset in ["", *subsets]:
                    yield self._target(service, port, subset, rule, found)

    def _target(
        self,
        service: Service,
        port: Port,
        subset: str,
        rule: Rule | None,
        found: Sequence[Endpoint],
    ) -> Target:
        """The cluster's target, with its endpoints arranged as clients of this scope prefer them."""
        scope = self._scope
        policy = destination_rules.policy_for(rule, port.number, subset)
        chosen = localities.setting(policy, service, scope.mesh)
        near = chosen is not None and (chosen.failover or bool(chosen.written.get("distribute")))
        client = (scope.locality, tuple(sorted(scope.labels.items()))) if near else ()
        policies = scope.snapshot.of_kind(refs.PEERAUTHENTICATIONS)
        groups = self._memo.get(
            ("groups", names.outbound(port.number, subset, service.hostname), rule, client),
            (found, policies, scope.mesh, service),
            lambda: self._groups(rule, subset, found, chosen if near else None),
        )
        credentials = self._router or bool(rule and rule.selector)
        return Target(service, port, subset, rule, found, groups, client, credentials)

    def _groups(
        self,
        rule: Rule | None,
        subset: str,
        found: Sequence[Endpoint],
        chosen: localities.Setting | None,
    ) -> tuple[Group, ...]:
        named = rule.subset(subset) if rule and subset else None
        labels = dict((named or {}).get("labels") or {})
        groups = localities.groups(self._reachable(endpoints.select(found, labels)))
        if chosen is None:
            return tuple(groups)
        client = Client(self._scope.locality, self._scope.labels)
        return tuple(localities.arrange(groups, client, chosen))

    def _cluster(self, target: Target) -> Json:
        mesh = self._scope.mesh
        by_name = target.service.resolution in cluster_outbound.BY_NAME
        return self._memo.get(
            (
                "cluster",
                target.name,
                target.rule,
                target.client if by_name else None,
                target.credentials,
            ),
            (target.service, target.endpoints, mesh, target.groups if by_name else None),
            lambda: cluster_outbound.build(target, mesh),
        )

    def _assignment(self, target: Target) -> Json:
        return self._memo.get(
            ("endpoints", target.name, target.rule, target.client),
            (target.groups,),
            lambda: endpoints.build(target.name, target.groups),
        )

    def _reachable(self, found: Sequence[Endpoint]) -> list[Endpoint]:
        """Endpoints without mutual TLS where a PeerAuthentication DISABLEs it."""
        policies = self._scope.snapshot.of_kind(refs.PEERAUTHENTICATIONS)
        root = self._scope.mesh.root_namespace
        return [peer_authentication.adjust(one, policies, root) for one in found]

    def _route(self) -> Json:
        unrouted = [host for _, host in self._unrouted()]
        virtual_hosts = [*self._virtual_hosts(), *unrouted, self._catch_all()]
        return self._memo.get(
            ("outbound-route", self._key),
            tuple(virtual_hosts),
            lambda: route_outbound.configuration(virtual_hosts),
        )

    def _catch_all(self) -> Json:
        policy = self._scope.outbound_policy
        return self._memo.get(("catch-all", policy), (), lambda: route_outbound.catch_all(policy))

    def _virtual_hosts(self) -> Iterator[Json]:
        chosen = rules_of.by_host(self._scope.rules)
        patterns = [one for one in chosen if hosts.wild(one)]
        served: set[str] = set()
        for host in sorted(self._scope.services):
            service = self._scope.services[host]
            if self._scope.is_alias(service):
                continue
            name = host if host in chosen else hosts.most_specific(host, patterns)
            served.add(name or "")
            for port in service.ports:
                if port.protocol is not Protocol.UDP and self._scope.routed(service, port.number):
                    yield self._of_service(service, port, chosen[name] if name else ())
        for name in chosen:
            if name not in served and (found := self._of_unknown_host(name, chosen[name])):
                yield found

    def _unrouted(self) -> Iterator[tuple[Json, Json]]:
        """Cluster and virtual host of Kubernetes services that are not in view, if anything may be
        called.
        """
        scope, mesh = self._scope, self._scope.mesh
        if scope.outbound_policy != "ALLOW_ANY":
            return
        for service in scope.snapshot.services.values():
            seen = scope.services.get(service.hostname) is service
            for port, _, _ in service.virtual:
                if seen and scope.routed(service, port):
                    continue
                key = ("unrouted", self._key, service.hostname, port)
                found = self._memo.get(
                    key,
                    (service, mesh),
                    partial(_passed_through, service, port, scope.namespace, mesh),
                )
                if found is not None:
                    yield found

    def _of_service(self, service: Service, port: Port, rules: Rules) -> Json:
        scope, mesh = self._scope, self._scope.mesh
        dependencies, aliases = self._dependencies(rules), scope.aliases(service)
        own = scope.destination_rule(service.hostname)

        def make() -> Json:
            domains = [
                domain
                for one in (service, *aliases)
                for domain in route_outbound.domains(one, port.number, scope.namespace, mesh)
            ]
            routes = self._routes(service, port, rules)
            return route_outbound.of_service(
                service, port, domains, routes, attempts=scope.attempts
            )

        return self._memo.get(
            ("virtual-host", self._key, service.hostname, port.number, scope.sampling),
            (service, own, mesh, *rules, *dependencies, *aliases),
            make,
        )

    def _dependencies(self, rules: Rules) -> tuple[object, ...]:
        """What the routes of rules look up: their destinations' services and DestinationRules."""
        found = [
            str(one.get("host") or "") for rule in rules for one in rules_of.destinations(rule)
        ]
        services = (self._scope.service(host) for host in found)
        return (*services, *(self._scope.destination_rule(host) for host in found))

    def _routes(self, service: Service, port: Port, rules: Rules) -> list[Json]:
        context = self._context(port.number)
        if not port.protocol.http:
            tunnels = (route_tcp.tunnel(rule, service.hostname, context) for rule in rules)
            return next(([one] for one in tunnels if one), [])
        for rule in rules:
            if routes := route_http.routes(rule, context):
                return routes
        own = self._scope.destination_rule(service.hostname)
        hashing = destination_rules.consistent_hash(own, port.number)
        return route_outbound.default_routes(service, port, context, hashing)

    def _context(self, port: int) -> route_http.Context:
        scope = self._scope
        return route_http.Context(
            mesh=scope.mesh,
            port=port,
            gateways=frozenset((rules_of.MESH,)),
            labels=scope.labels,
            namespace=scope.namespace,
            service=scope.service,
            rule=scope.destination_rule,
            sampling=scope.sampling,
        )

    def _of_unknown_host(self, host: str, rules: Rules) -> Json | None:
        """A rule for a host outside the registry applies to port 80, as in Istio."""

        def make() -> list[Json]:
            tried = (route_http.routes(rule, self._context(80)) for rule in rules)
            routes = next((one for one in tried if one), [])
            found = [route_outbound.INTO_CAPTURE, *routes]
            domains = [host, f"{host}:80"] if host != "*" else ["*:80"]
            named = route_outbound.virtual_host(
                f"{host}:80", domains, found, internal=True, attempts=self._scope.attempts
            )
            return [named] if routes else []

        found = self._memo.get(
            ("unknown-host", self._key, host, self._scope.sampling),
            (self._scope.mesh, *rules, *self._dependencies(rules)),
            make,
        )
        return found[0] if found else None


def _passed_through(
    service: Service, port: int, namespace: str, mesh: MeshConfig
) -> tuple[Json, Json] | None:
    cluster = cluster_outbound.unrouted(service, port, mesh)
    if cluster is None:
        return None
    domains = route_outbound.domains(service, port, namespace, mesh)
    return cluster, route_outbound.allow_any(f"{service.hostname}:{port}", domains, cluster["name"])
