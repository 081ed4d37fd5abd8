"""The one route configuration that all sidecars of a scope share: ``outbound``.

Istio has one per port; here the proxy variables bring requests for all ports to one listener, so
that domains carry the port (``details:9080``). A name without a port means port 80, as in HTTP.
Virtual hosts are named ``HOST:PORT`` as Istio's.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from meshcourse.embedded.istio import names
from meshcourse.embedded.istio.build import (
    filters,
    proto,
    route_action,
    route_http,
)
from meshcourse.embedded.istio.model import Json, MeshConfig, Port, Service

_HTTP_PORT: Final = 80
_CONNECT: Final[Json] = {"connect_matcher": {}}
_TUNNEL: Final[Json] = {"upgrade_configs": [{"upgrade_type": "CONNECT", "connect_config": {}}]}

#: CONNECT to an HTTP service: into the capture listener, whose routes are these again.
INTO_CAPTURE: Final[Json] = {
    "match": _CONNECT,
    "route": {"cluster": names.CAPTURE, "timeout": proto.NO_TIMEOUT, **_TUNNEL},
}


def tunnel(cluster: str) -> Json:
    """CONNECT to a TCP service: straight to its cluster."""
    return {
        "match": _CONNECT,
        "route": {"cluster": cluster, "timeout": proto.NO_TIMEOUT, **_TUNNEL},
    }


def virtual_host(
    name: str,
    domains: Sequence[str],
    routes: Iterable[Json],
    *,
    internal: bool,
    attempts: bool = True,
) -> Json:
    """One virtual host; peers inside the mesh (`internal`) are told who calls, all of them
    (`attempts`) how often it was tried.
    """
    result: Json = {
        "name": name,
        "domains": list(domains),
        "routes": list(routes),
        "include_request_attempt_count": attempts,
    }
    if not internal:
        result["typed_per_filter_config"] = filters.SILENT
    return result


def of_service(
    service: Service,
    port: Port,
    domains: Sequence[str],
    routes: Sequence[Json],
    *,
    attempts: bool = True,
) -> Json:
    """The virtual host of a service port: CONNECT first, then HTTP routes; TCP has only a tunnel."""
    name = f"{service.hostname}:{port.number}"
    if port.protocol.http:
        found = [INTO_CAPTURE, *routes]
    else:
        found = list(routes) or [tunnel(names.outbound(port.number, "", service.hostname))]
    return virtual_host(name, domains, found, internal=not service.external, attempts=attempts)


def default_routes(
    service: Service, port: Port, context: route_http.Context, hashing: Json | None
) -> list[Json]:
    """The routes of an HTTP port that no VirtualService governs."""
    cluster = names.outbound(port.number, "", service.hostname)
    operation = f"{service.hostname}:{port.number}/*"
    return [route_http.default(cluster, operation, context, hashing)]


def domains(service: Service, port: int, namespace: str, mesh: MeshConfig) -> list[str]:
    """Every name a client of `namespace` may use for a service port."""
    found = [*_aliases(service, namespace, mesh), *service.addresses]
    with_port = [f"{_bracketed(one)}:{port}" for one in found]
    return [*map(_bracketed, found), *with_port] if port == _HTTP_PORT else with_port


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _aliases(service: Service, namespace: str, mesh: MeshConfig) -> list[str]:
    """``reviews`` (same namespace only), ``reviews.default``, ``reviews.default.svc``, the full
    name.
    """
    suffix = f".{service.namespace}.svc.{mesh.domain}"
    if not service.hostname.endswith(suffix):
        return [service.hostname]
    short = service.hostname.removesuffix(suffix)
    found = [service.hostname, f"{short}.{service.namespace}", f"{short}.{service.namespace}.svc"]
    if service.namespace == namespace:
        found.insert(1, short)
    if service.headless:
        found.append(f"*.{service.hostname}")
    return found


def catch_all(policy: str) -> Json:
    """What happens to hosts outside the registry: Istio's ``allow_any`` or ``block_all``."""
    if policy == "ALLOW_ANY":
        return allow_any("allow_any", ["*"], names.PASSTHROUGH)
    block: Json = {
        "name": "block_all",
        "match": {"prefix": "/"},
        "direct_response": {"status": 502},
    }
    return virtual_host("block_all", ["*"], [tunnel(names.BLACK_HOLE), block], internal=False)


def allow_any(name: str, domains: Sequence[str], cluster: str) -> Json:
    """A virtual host whose traffic leaves without any rule."""
    action = {"cluster": cluster, **route_http.timeouts(None)}
    forward: Json = {"name": "allow_any", "match": {"prefix": "/"}, "route": action}
    return virtual_host(name, domains, [tunnel(cluster), forward], internal=False)


def configuration(virtual_hosts: Sequence[Json]) -> Json:
    """The RouteConfiguration; where two virtual hosts claim a domain, the first keeps it."""
    return {
        "name": names.OUTBOUND_ROUTE,
        "virtual_hosts": unique_domains(virtual_hosts),
        "validate_clusters": False,
        "max_direct_response_body_size_bytes": route_action.MAX_DIRECT_RESPONSE,
    }


def unique_domains(virtual_hosts: Sequence[Json]) -> list[Json]:
    """The virtual hosts without repeated domains (Envoy would reject them); unchanged ones stay the
    same objects.
    """
    seen: set[str] = set()
    result = []
    for host in virtual_hosts:
        free = [one for one in dict.fromkeys(host["domains"]) if one not in seen]
        seen.update(free)
        if len(free) == len(host["domains"]):
            result.append(host)
        elif free:
            result.append({**host, "domains": free})
    return result
