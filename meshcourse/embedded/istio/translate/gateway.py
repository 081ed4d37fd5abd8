"""The parts that belong to one gateway: listeners, routes and the secrets they need."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from meshcourse.embedded.istio import gateways, proxy_settings, telemetry_api, virtual_services
from meshcourse.embedded.istio.build import (
    labels,
    listener_gateway,
    route_gateway,
    route_http,
    route_tcp,
    secrets,
    tcp,
)
from meshcourse.embedded.istio.gateways import Server
from meshcourse.embedded.istio.memo import Memo
from meshcourse.embedded.istio.model import Json, Proxy, Resources
from meshcourse.embedded.istio.scope import Scope
from meshcourse.embedded.istio.translate import observability, policy
from meshcourse.embedded.istio.virtual_services import VirtualService


class Gateway:
    """Builds what one gateway proxy has of its own."""

    def __init__(self, scope: Scope, proxy: Proxy, memo: Memo) -> None:
        self._scope = scope
        self._proxy = proxy
        self._memo = memo
        self._reporting = observability.build(scope, proxy, telemetry_api.CLIENT, memo)
        self._settings = proxy_settings.of(proxy.workload, scope.mesh)
        self._rules: dict[str, list[VirtualService]] = {}

    def build(self) -> Resources:
        """Listeners, routes and secrets."""
        snapshot = self._scope.snapshot
        configs = gateways.select(snapshot, self._proxy)
        found = gateways.merge(configs, self._proxy, snapshot)
        edge = listener_gateway.Edge(snapshot.mesh, self._reporting, self._settings)
        listeners = [
            self._memo.keep(("gateway-listener", self._proxy.id, one.port), listener)
            for one in found
            if (listener := listener_gateway.build(self._proxy, one, edge, self._chains))
        ]
        security = policy.build(self._scope, self._proxy, self._memo)
        servers = [server for one in found for server in one.servers]
        return Resources(
            listeners={str(one["name"]): one for one in listeners},
            routes={
                name: self._route(name, group, security.per_route)
                for name, group in _by_route(servers).items()
            },
            extensions=security.extensions,
            secrets=secrets.of_servers(
                servers, self._proxy.namespace, snapshot.secrets, snapshot.authorities
            ),
        )

    def _route(self, name: str, servers: Sequence[Server], per_route: dict[str, Json]) -> Json:
        built = route_gateway.build(
            name,
            servers,
            self._rules_of,
            self._routes_of,
            per_route,
            attempts=self._settings.attempts,
        )
        key = (self._proxy.id, name)
        built["virtual_hosts"] = [
            self._memo.keep(("gateway-host", *key, one["name"]), one)
            for one in built["virtual_hosts"]
        ]
        return self._memo.keep(("gateway-route", *key), built)

    def _rules_of(self, server: Server) -> list[VirtualService]:
        if server.gateway not in self._rules:
            self._rules[server.gateway] = virtual_services.for_gateway(
                self._scope.all_rules, server.gateway, self._proxy.namespace, self._scope.mesh
            )
        return self._rules[server.gateway]

    def _context(self, server: Server) -> route_http.Context:
        return route_http.Context(
            mesh=self._scope.mesh,
            port=server.port,
            gateways=frozenset((server.gateway,)),
            labels=self._proxy.workload.labels,
            namespace=self._proxy.namespace,
            service=self._scope.service,
            rule=self._scope.destination_rule,
            tls=server.tls is not None,
            sampling=self._reporting.sampling,
        )

    def _routes_of(self, rule: VirtualService, server: Server) -> list[Json]:
        found = [str(one.get("host") or "") for one in virtual_services.destinations(rule)]
        services = (self._scope.service(host) for host in found)
        looked_up = (*services, *(self._scope.destination_rule(host) for host in found))
        context = self._context(server)
        return self._memo.get(
            ("gateway-routes", self._proxy.id, server.gateway, server.port, rule),
            (self._reporting, self._scope.mesh, self._proxy.workload, *looked_up),
            lambda: route_http.routes(rule, context),
        )

    def _chains(self, server: Server) -> list[tuple[Sequence[str], list[Json]]]:
        """Filter chains of a server that routes connections (TCP, or TLS by server name)."""
        context = self._context(server)
        if server.is_tls and not server.terminates_tls:
            return self._passthrough(server, context)
        for rule in self._rules_of(server):
            if not gateways.common_hosts(server.hosts_for(rule.namespace), rule.hosts):
                continue
            for route in rule.tcp:
                if route_tcp.applies(route, context, ()):
                    return [(server.sni(), [self._tcp(route, context)])]
        return []

    def _tcp(self, route: Mapping[str, Any], context: route_http.Context) -> Json:
        target = route_tcp.targets(route, context)
        return tcp.proxy(f"outbound|{context.port}||", target, labels.source(), self._reporting)

    def _passthrough(
        self, server: Server, context: route_http.Context
    ) -> list[tuple[Sequence[str], list[Json]]]:
        """One chain per ``sniHosts``; names that an older rule took are left out."""
        result: list[tuple[Sequence[str], list[Json]]] = []
        taken: set[str] = set()
        for route, match in self._tls_matches(server):
            names = [one for one in match.get("sniHosts") or [] if one not in taken]
            if names and route_tcp.applies({"match": [match]}, context, names):
                taken.update(names)
                result.append((names, [self._tcp(route, context)]))
        return result

    def _tls_matches(self, server: Server) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
        for rule in self._rules_of(server):
            if gateways.common_hosts(server.hosts_for(rule.namespace), rule.hosts):
                for route in rule.tls:
                    for match in route.get("match") or []:
                        yield route, match


def _by_route(servers: Sequence[Server]) -> dict[str, list[Server]]:
    result: dict[str, list[Server]] = {}
    for server in servers:
        if server.route:
            result.setdefault(server.route, []).append(server)
    return result
