"""The walks: out of a sidecar, into a sidecar, through a gateway.

Istio's own sidecars have a listener for each service port, found by the address that iptables noted
(``use_original_dst``); a sidecar that is an HTTP proxy has one for all. Which it is the listener says itself. It is
the same inbound: either a listener at the port, or one for all ports whose filter chains tell them apart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from meshcourse.simulate import chains, filters, forward, matching, policy
from meshcourse.simulate.config import Configuration
from meshcourse.simulate.outcome import Outcome, Request, Step

Json = Mapping[str, Any]

_OUTBOUND: Final = "virtualOutbound"
_INBOUND: Final = "INBOUND"
#: What sidecars offer each other in the TLS handshake.
_MESH: Final = ("istio-http/1.1", "istio", "istio-peer-exchange")


def outbound(found: Configuration, request: Request, address: str = "") -> Outcome:
    """A request of an application to its sidecar.

    :param address: ``host:port`` to which the application connects; sidecars that are HTTP proxies do without.
    """
    first = found.listeners.get(_OUTBOUND)
    if first is None:
        return _failed((), "the sidecar has no outbound listener", "")
    name, listener = _OUTBOUND, first
    if first.get("use_original_dst"):
        name, listener = chains.of_address(found.listeners, address) or (name, listener)
    steps = (Step("listener", name),)
    chain = chains.choose(
        listener, chains.Connection(encrypted=request.tls, sni=request.server_name)
    )
    if chain is None:
        return _failed(steps, "no filter chain of the listener accepts it", "NR")
    return _through(found, chain, request, steps, 0)


def inbound(found: Configuration, request: Request, port: int) -> Outcome:
    """A request that arrives at a pod's `port` (from another sidecar if it has a principal)."""
    named = chains.of_port(found.listeners, port)
    if named is None:
        steps: tuple[Step, ...] = (Step("listener", f"port {port}"),)
        return _failed(steps, f"nothing listens on port {port}: connection refused", "UF")
    name, listener = named
    steps = (Step("listener", name),)
    encrypted = bool(request.principal) or request.tls
    offer = _MESH if request.principal else ()
    connection = chains.Connection(encrypted=encrypted, alpn=offer, port=port)
    chain = chains.choose(listener, connection)
    if chain is None:
        why = "no filter chain accepts it (mutual TLS is required): connection reset"
        return _failed(steps, why, "NR")
    steps += (Step("filter chain", str(chain.get("name") or "")),)
    return _through(found, chain, request, steps, port)


def gateway(found: Configuration, request: Request, port: int) -> Outcome:
    """A request from outside to a gateway's `port` (the one its pod listens on)."""
    name = f"0.0.0.0_{port}"
    steps: tuple[Step, ...] = (Step("listener", name),)
    listener = found.listeners.get(name)
    if listener is None:
        return _failed(steps, f"nothing listens on port {port}: connection refused", "UF")
    connection = chains.Connection(encrypted=request.tls, sni=request.server_name)
    chain = chains.choose(listener, connection)
    if chain is None:
        why = f"no filter chain for server name {request.server_name!r}: connection reset"
        return _failed(steps, why, "NR")
    return _through(
        found, chain, replace(request, scheme="https") if request.tls else request, steps, port
    )


def _failed(
    steps: tuple[Step, ...],
    why: str,
    flag: str,
    status: int | None = None,
    hints: Sequence[str] = (),
) -> Outcome:
    return Outcome(steps=steps, failure=why, flag=flag, status=status, hints=tuple(hints))


def _through(
    found: Configuration, chain: Json, request: Request, steps: tuple[Step, ...], port: int
) -> Outcome:
    """Through the network filters of a chain: policy, then requests are routed, or connections passed on."""
    config = chain["filters"][-1]["typed_config"]
    if "rds" in config or "route_config" in config:
        return _routed(found, config, request, steps, port)
    for one in chain["filters"][:-1]:
        rules = (one.get("typed_config") or {}).get("rules") if "rbac" in one["name"] else None
        denial = policy.judge(rules, request, port) if rules else None
        if denial is not None:
            return _failed(steps, denial.why, "UAEX", hints=denial.hints)
    return forward.to_clusters(found, forward.shares(config), steps, None, request)


def _routed(
    found: Configuration, manager: Json, request: Request, steps: tuple[Step, ...], port: int
) -> Outcome:
    name = (manager.get("rds") or {}).get("route_config_name") or ""
    configuration = manager.get("route_config") or found.routes.get(name)
    name = name or str((configuration or {}).get("name") or "")
    steps += (Step("route configuration", name),)
    if configuration is None:
        return _failed(steps, f"route configuration {name} is missing", "NR", 404)
    host = matching.virtual_host(configuration, request.authority)
    if host is None:
        hints = _known_hosts(configuration)
        return _failed(steps, f"no virtual host for {request.authority}", "NR", 404, hints)
    steps += (Step("virtual host", str(host["name"])),)
    if host.get("require_tls") == "ALL" and request.scheme != "https":
        return Outcome(steps=(*steps, Step("redirect", "https")), status=301)
    chosen = matching.route(host, request)
    if chosen is None:
        why = f"no route of {host['name']} matches"
        return _failed(steps, why, "NR", 404, _nearest(host, request))
    steps += (Step("route", str(chosen.get("name") or ""), origin(chosen)),)
    return _filtered(found, manager, (configuration, host, chosen), request, steps, port)


def _filtered(
    found: Configuration,
    manager: Json,
    levels: tuple[Json, Json, Json],
    request: Request,
    steps: tuple[Step, ...],
    port: int,
) -> Outcome:
    per_route: dict[str, Any] = {}
    for level in levels:
        per_route |= level.get("typed_per_filter_config") or {}
    verdict = filters.run(manager, found, per_route, request, port)
    steps += verdict.steps
    if verdict.status is not None:
        return _failed(steps, verdict.why, "UAEX", verdict.status, verdict.hints)
    chosen = levels[-1]
    if chosen["match"].get("dynamic_metadata") is None and verdict.request.claims != request.claims:
        # A token may change the route: Envoy chooses again once it is believed.
        chosen = matching.route(levels[1], verdict.request) or chosen
    return forward.act(found, chosen, verdict.fault, verdict.request, steps)


def _known_hosts(configuration: Json) -> list[str]:
    hosts = [str(one["name"]) for one in configuration.get("virtual_hosts") or ()]
    return [f"known are {', '.join(hosts[:8])}{' …' if len(hosts) > 8 else ''}"] if hosts else []


def _nearest(host: Json, request: Request) -> list[str]:
    """Which route comes nearest, and what it wants."""
    found = matching.nearest(host, request)
    if found is None:
        return ["there is no route at all"]
    route, failed = found
    name = " ".join(
        one for one in (f'"{route.get("name")}"' if route.get("name") else "", origin(route)) if one
    )
    return [f"the nearest route {name} {one}" for one in failed]


def origin(route: Json) -> str:
    """The object that a route came from, as Istio notes it."""
    metadata = (route.get("metadata") or {}).get("filter_metadata") or {}
    return str((metadata.get("istio") or {}).get("config") or "")
