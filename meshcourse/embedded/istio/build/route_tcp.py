"""TCP and TLS routes of VirtualServices: on sidecars as CONNECT routes, on gateways as TCP proxies.

Source: istio.io reference of TCPRoute, TLSRoute, L4MatchAttributes. A sidecar here sees the CONNECT
target instead of the destination address and the server name; a client asks for the name that it
will also send as SNI.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from meshcourse.embedded.istio import hosts
from meshcourse.embedded.istio.build import route_match, route_outbound
from meshcourse.embedded.istio.build.route_http import Context
from meshcourse.embedded.istio.model import Json
from meshcourse.embedded.istio.virtual_services import VirtualService


def tunnel(rule: VirtualService, host: str, context: Context) -> Json | None:
    """The CONNECT route of a TCP or TLS service port; None if the rule says nothing about it."""
    for route in (*rule.tls, *rule.tcp):
        if applies(route, context, [host]):
            target = targets(route, context)
            result = route_outbound.tunnel("")
            action = {key: one for key, one in result["route"].items() if key != "cluster"}
            return {**result, "route": {**target, **action}}
    return None


def applies(route: Mapping[str, Any], context: Context, names: Sequence[str]) -> bool:
    """Whether any condition of a TCP or TLS route holds; `names` are the server names in question."""
    conditions = route.get("match") or [{}]
    return any(_holds(one, context, names) for one in conditions)


def _holds(match: Mapping[str, Any], context: Context, names: Sequence[str]) -> bool:
    if match.get("port") and int(match["port"]) != context.port:
        return False
    sni = match.get("sniHosts")
    if sni and not any(hosts.matches(name, one) for name in names for one in sni):
        return False
    return route_match.from_source(
        match, labels=context.labels, namespace=context.namespace, gateways=context.gateways
    )


def targets(route: Mapping[str, Any], context: Context) -> Json:
    """``cluster`` or ``weighted_clusters``."""
    found = [one for one in route.get("route") or [] if one.get("destination")]
    if len(found) == 1:
        return {"cluster": context.cluster(found[0]["destination"])}
    weighted = [
        {"name": context.cluster(one["destination"]), "weight": int(one.get("weight") or 0)}
        for one in found
        if one.get("weight")
    ]
    return {"weighted_clusters": {"clusters": weighted}}
