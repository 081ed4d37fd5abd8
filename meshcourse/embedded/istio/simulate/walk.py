"""The walks: out of a sidecar, into a sidecar, through a gateway."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from meshcourse.embedded.istio import names
from meshcourse.embedded.istio.build import listener_inbound, tls
from meshcourse.embedded.istio.model import Resources
from meshcourse.embedded.istio.simulate import forward, matching, policy
from meshcourse.embedded.istio.simulate.outcome import Outcome, Request, Step

Json = Mapping[str, Any]


def outbound(resources: Resources, request: Request) -> Outcome:
    """A request of an application to its sidecar (by the proxy variables)."""
    steps = (Step("listener", names.OUTBOUND_LISTENER),)
    if names.OUTBOUND_LISTENER not in resources.listeners:
        return _failed(steps, "the sidecar has no outbound listener", "")
    return _routed(resources, names.OUTBOUND_ROUTE, request, steps)


def inbound(resources: Resources, request: Request, port: int) -> Outcome:
    """A request that arrives at a pod's `port` (from another sidecar if it has a principal)."""
    name = listener_inbound.listener_name(port)
    steps: tuple[Step, ...] = (Step("listener", name),)
    listener = resources.listeners.get(name)
    if listener is None:
        return _failed(steps, f"nothing listens on port {port}: connection refused", "UF")
    offer = tls.ALPN_HTTP1 if request.principal else ()
    encrypted = bool(request.principal) or request.tls
    chain = _chain(listener["filter_chains"], encrypted=encrypted, alpn=offer, sni="")
    if chain is None:
        why = "no filter chain accepts it (mutual TLS is required): connection reset"
        return _failed(steps, why, "NR")
    steps += (Step("filter chain", str(chain["name"])),)
    if (route := _route_name(chain)) is not None:
        return _routed(resources, route, request, steps, port=port)
    if why := policy.network_denial(chain["filters"], request, port):
        return _failed(steps, why, "UAEX")
    return _proxied(resources, chain, steps)


def gateway(resources: Resources, request: Request, port: int) -> Outcome:
    """A request from outside to a gateway's `port` (the one its pod listens on)."""
    name = f"0.0.0.0_{port}"
    steps: tuple[Step, ...] = (Step("listener", name),)
    listener = resources.listeners.get(name)
    if listener is None:
        return _failed(steps, f"nothing listens on port {port}: connection refused", "UF")
    chains = listener["filter_chains"]
    chain = _chain(chains, encrypted=request.tls, alpn=(), sni=request.server_name)
    if chain is None:
        why = f"no filter chain for server name {request.server_name!r}: connection reset"
        return _failed(steps, why, "NR")
    if (route := _route_name(chain)) is not None:
        secure = request if not request.tls else replace(request, scheme="https")
        return _routed(resources, route, secure, steps, port=port)
    return _proxied(resources, chain, steps)


def _failed(steps: tuple[Step, ...], why: str, flag: str, status: int | None = None) -> Outcome:
    return Outcome(steps=steps, failure=why, flag=flag, status=status)


def _chain(
    chains: Sequence[Json], *, encrypted: bool, alpn: Sequence[str], sni: str
) -> Json | None:
    """Envoy's choice: server name first (most specific), then transport, then ALPN."""
    best: tuple[tuple[int, int, int], Json] | None = None
    for chain in chains:
        rank = _chain_rank(chain.get("filter_chain_match") or {}, encrypted, alpn, sni)
        if rank is not None and (best is None or rank > best[0]):
            best = rank, chain
    return best[1] if best else None


def _chain_rank(
    match: Json, encrypted: bool, alpn: Sequence[str], sni: str
) -> tuple[int, int, int] | None:
    server_names = match.get("server_names") or []
    name_rank = max((_sni_rank(one, sni) for one in server_names), default=0)
    if server_names and not name_rank:
        return None
    transport = match.get("transport_protocol")
    if transport and transport != ("tls" if encrypted else "raw_buffer"):
        return None
    protocols = match.get("application_protocols") or []
    if protocols and not set(protocols) & set(alpn):
        return None
    return name_rank, bool(transport), bool(protocols)


def _sni_rank(pattern: str, sni: str) -> int:
    if pattern == sni:
        return 1000
    if pattern.startswith("*.") and sni.endswith(pattern[1:]):
        return len(pattern)
    return 0


def _route_name(chain: Json) -> str | None:
    rds = chain["filters"][-1]["typed_config"].get("rds")
    return str(rds["route_config_name"]) if rds else None


def _routed(
    resources: Resources,
    route_name: str,
    request: Request,
    steps: tuple[Step, ...],
    port: int = 0,
) -> Outcome:
    configuration = resources.routes.get(route_name)
    steps += (Step("route configuration", route_name),)
    if configuration is None:
        return _failed(steps, f"route configuration {route_name} is missing", "NR", 404)
    host = matching.virtual_host(configuration, request.authority)
    if host is None:
        return _failed(steps, f"no virtual host for {request.authority}", "NR", 404)
    steps += (Step("virtual host", str(host["name"])),)
    if host.get("require_tls") == "ALL" and request.scheme != "https":
        return Outcome(steps=(*steps, Step("redirect", "https")), status=301)
    found = matching.route(host, request)
    if found is None:
        return _failed(steps, f"no route of {host['name']} matches", "NR", 404)
    steps += (Step("route", str(found.get("name") or ""), _origin(found)),)
    per_filter = {**_per_filter(configuration), **_per_filter(host), **_per_filter(found)}
    if why := policy.denial(per_filter, request, port):
        return _failed((*steps, Step("policy", "RBAC", why)), f"RBAC: {why}", "UAEX", 403)
    return forward.act(resources, found, steps)


def _per_filter(part: Json) -> Json:
    found: Json = part.get("typed_per_filter_config") or {}
    return found


def _origin(route: Json) -> str:
    """The object that a route came from, as Istio notes it."""
    metadata = (route.get("metadata") or {}).get("filter_metadata") or {}
    return str((metadata.get("istio") or {}).get("config") or "")


def _proxied(resources: Resources, chain: Json, steps: tuple[Step, ...]) -> Outcome:
    config = chain["filters"][-1]["typed_config"]
    return forward.to_clusters(resources, forward.shares(config), steps)
