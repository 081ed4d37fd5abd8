"""Patches of route configurations: themselves, their virtual hosts and routes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

from meshcourse.embedded.istio import names
from meshcourse.embedded.istio.model import Json
from meshcourse.embedded.istio.patches import editing, merging
from meshcourse.embedded.istio.patches.selection import GATEWAY, OUTBOUND, Patch

_ACTIONS: Final = {"ROUTE": "route", "REDIRECT": "redirect", "DIRECT_RESPONSE": "direct_response"}
_DISABLED: Final = {
    "@type": "type.googleapis.com/envoy.config.route.v3.FilterConfig",
    "disabled": True,
}

#: Makes or recalls the patched form of a virtual host (None: removed).
Keep = Callable[[Json, Callable[[], list[Json]]], list[Json]]


def patched(
    configuration: Json,
    context: str,
    patches: Sequence[Patch],
    ports: Mapping[int, int],
    keep: Keep,
) -> Json:
    """The route configuration with all patches of its context.

    :param ports: at gateways: the service port that a listener's port stands for.
    """
    found = [
        one
        for one in patches
        if one.meant_for(context) and _means(configuration, one, context, ports)
    ]
    if not found:
        return configuration
    result = configuration
    for one in found:
        if one.target == "ROUTE_CONFIGURATION" and one.operation == "MERGE":
            result = merging.merged(result, one.value)
    hosts: list[Json] = []
    for host in configuration["virtual_hosts"]:
        own = [one for one in found if _means_host(host, one, context)]
        hosts += keep(host, partial(_host, host, own)) if own else [host]
    hosts += [one.value for one in found if one.target == "VIRTUAL_HOST" and one.operation == "ADD"]
    return {**result, "virtual_hosts": hosts}


def without_filters(route: Json, disabled: Sequence[str]) -> Json:
    """The route, passed by HTTP filters of these names."""
    own = route.get("typed_per_filter_config") or {}
    return {
        **route,
        "typed_per_filter_config": {**own, **dict.fromkeys(disabled, _DISABLED)},
    }


def past_tunnels(configuration: Json, disabled: Sequence[str], keep: Keep) -> Json:
    """Added HTTP filters see what a tunnel into the capture listener carries, not the tunnel."""
    hosts: list[Json] = []
    for host in configuration["virtual_hosts"]:
        hosts += keep(host, partial(_past_tunnel, host, disabled))
    return {**configuration, "virtual_hosts": hosts}


def _past_tunnel(host: Json, disabled: Sequence[str]) -> list[Json]:
    routes = [
        without_filters(one, disabled)
        if (one.get("route") or {}).get("cluster") == names.CAPTURE
        else one
        for one in host["routes"]
    ]
    return [{**host, "routes": routes}]


def _means(configuration: Json, patch: Patch, context: str, ports: Mapping[int, int]) -> bool:
    match = patch.part("routeConfiguration")
    own = str(configuration["name"])
    if context == OUTBOUND:
        # One configuration stands for all of Istio's: the port is looked for in virtual hosts.
        return True
    if match.get("name") not in (None, "", own):
        return False
    number, port_name, gateway = _parts(own)
    port = match.get("portNumber")
    if context != GATEWAY:
        return not port or port == number
    return (
        (not port or port in (number, ports.get(number)))
        and match.get("portName") in (None, "", port_name)
        and match.get("gateway") in (None, "", gateway)
    )


def _parts(name: str) -> tuple[int, str, str]:
    """Port, port name and ``namespace/name`` of the gateway that a route name tells."""
    if name.startswith("inbound|"):
        return int(name.split("|")[1]), "", ""
    parts = name.split(".")
    if parts[0] == "https" and len(parts) >= 5:
        return int(parts[1]), parts[2], f"{parts[4]}/{parts[3]}"
    return (int(parts[1]), "", "") if len(parts) > 1 and parts[1].isdigit() else (0, "", "")


def _means_host(host: Json, patch: Patch, context: str) -> bool:
    match = patch.part("routeConfiguration")
    if context == OUTBOUND:
        wanted = str(match.get("portNumber") or match.get("name") or "")
        if wanted.isdigit() and str(host["name"]).rpartition(":")[2] != wanted:
            return False
    own = match.get("vhost") or {}
    domain = own.get("domainName")
    return own.get("name") in (None, "", host["name"]) and (not domain or domain in host["domains"])


def _host(host: Json, patches: Sequence[Patch]) -> list[Json]:
    for one in patches:
        if one.target != "VIRTUAL_HOST":
            continue
        if one.operation == "REMOVE":
            return []
        if one.operation == "MERGE":
            host = merging.merged(host, one.value)
        elif one.operation == "REPLACE":
            host = one.value
    found = [one for one in patches if one.target == "HTTP_ROUTE"]
    if not found:
        return [host]
    usable = [one for one in found if not _misses(host, one)]
    routes = editing.edited(
        host.get("routes") or [], usable, _means_route, lambda one: _route(one) is not None
    )
    return [{**host, "routes": routes}]


def _misses(host: Json, patch: Patch) -> bool:
    """INSERT_FIRST with a condition needs a route that fulfils it."""
    if patch.operation != "INSERT_FIRST" or _route(patch) is None:
        return False
    return not any(_means_route(one, patch) for one in host.get("routes") or [])


def _route(patch: Patch) -> Mapping[str, Any] | None:
    vhost: Mapping[str, Any] = patch.part("routeConfiguration").get("vhost") or {}
    return vhost.get("route")


def _means_route(route: Json, patch: Patch) -> bool:
    match = _route(patch) or {}
    if match.get("name") not in (None, "", route.get("name")):
        return False
    action = match.get("action") or "ANY"
    return action == "ANY" or _ACTIONS.get(action, "") in route
