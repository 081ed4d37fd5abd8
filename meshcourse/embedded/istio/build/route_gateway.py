"""Routes of gateways: ``http.8080``, ``https.443.NAME.GATEWAY.NAMESPACE``.

Source: pilot's gateway routes: VirtualServices bound to the gateway whose hosts intersect the
server's; several for one host are appended to each other, catch-all routes last; with no host left,
everything is 404.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from meshcourse.embedded.istio import gateways
from meshcourse.embedded.istio.build import proto, route_action, route_match, route_outbound
from meshcourse.embedded.istio.gateways import Server
from meshcourse.embedded.istio.model import Json
from meshcourse.embedded.istio.virtual_services import VirtualService

_ATTEMPTS: Final = "include_request_attempt_count"
#: The rules of a server's gateway in order, and the routes of one rule for that server.
Rules = Callable[[Server], Sequence[VirtualService]]
RoutesOf = Callable[[VirtualService, Server], Sequence[Json]]


def build(
    name: str,
    servers: Sequence[Server],
    rules: Rules,
    routes_of: RoutesOf,
    policy: Mapping[str, Json],
    *,
    attempts: bool = True,
) -> Json:
    """The RouteConfiguration of the servers that share a route name.

    :param policy: ``typed_per_filter_config`` of all its routes.
    :param attempts: whether destinations are told how often a request was tried.
    """
    found: dict[str, Json] = {}
    for server in servers:
        for rule in rules(server):
            _add_rule(found, server, rule, routes_of)
        if server.redirects:
            _redirect(found, server)
    if not attempts:
        found = {key: {**one, _ATTEMPTS: False} for key, one in found.items()}
    hosts = [_sorted(one) for one in found.values()] or [_nothing(servers[0].port)]
    per_filter = {"typed_per_filter_config": dict(policy)} if policy else {}
    return {
        "name": name,
        **per_filter,
        "virtual_hosts": sorted(_collapsed(hosts), key=lambda one: str(one["name"])),
        "validate_clusters": False,
        "ignore_port_in_host_matching": True,
        "max_direct_response_body_size_bytes": route_action.MAX_DIRECT_RESPONSE,
    }


def _add_rule(
    found: dict[str, Json], server: Server, rule: VirtualService, routes_of: RoutesOf
) -> None:
    shared = gateways.common_hosts(server.hosts_for(rule.namespace), rule.hosts)
    routes = routes_of(rule, server) if shared else ()
    if not routes:
        return
    for host in shared:
        known = found.setdefault(host, _virtual_host(host, server.port))
        known["routes"] = [*known["routes"], *routes]
        if server.redirects:
            known["require_tls"] = "ALL"


def _virtual_host(host: str, port: int) -> Json:
    return route_outbound.virtual_host(f"{host}:{port}", [host], (), internal=True)


def _redirect(found: dict[str, Json], server: Server) -> None:
    """``httpsRedirect``: every host of the server answers 301 to https, with a rule or without."""
    for host in server.sni():
        found.setdefault(host, _virtual_host(host, server.port))["require_tls"] = "ALL"


def _nothing(port: int) -> Json:
    return {"name": f"blackhole:{port}", "domains": ["*"], "routes": []}


def _sorted(host: Json) -> Json:
    last = [one for one in host["routes"] if route_match.catches_all(one["match"])]
    first = [one for one in host["routes"] if not route_match.catches_all(one["match"])]
    return {**host, "routes": first + last}


def _collapsed(hosts: Iterable[Json]) -> list[Json]:
    """Hosts with the very same routes become one virtual host with several domains."""
    result: dict[tuple[object, ...], Json] = {}
    for host in sorted(hosts, key=lambda one: str(one["name"])):
        key = (tuple(id(one) for one in host["routes"]), host.get("require_tls"))
        known = result.setdefault(key, host)
        if known is not host:
            result[key] = {**known, "domains": [*known["domains"], *host["domains"]]}
    return [proto.compact(**one) | {"routes": one["routes"]} for one in result.values()]
