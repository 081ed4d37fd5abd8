"""What a matched route does: answer by itself, or send the request on to clusters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from meshcourse.simulate import config, rewriting
from meshcourse.simulate.config import Configuration
from meshcourse.simulate.outcome import Outcome, Request, Step

Json = Mapping[str, Any]

FAULT: Final = "envoy.filters.http.fault"
#: Clusters whose members Envoy resolves at the time of the request.
_OWN_DISCOVERY: Final = ("cluster_type",)
_SOCKET_MATCH: Final = "envoy.transport_socket_match"
MUTUAL, TLS, PLAINTEXT = "mutual TLS", "TLS", "plaintext"
#: What the workload's own certificate is called.
_OWN_CERTIFICATE: Final = "default"


def act(
    found: Configuration, route: Json, fault: Json, request: Request, steps: tuple[Step, ...]
) -> Outcome:
    """The outcome of a route.

    :param fault: the HTTPFault in force, may be empty.
    """
    steps += tuple(_faults(fault))
    if (status := _certain_abort(fault)) is not None:
        why = f"fault injection aborts every request with {status}"
        return Outcome(steps=steps, status=status, failure=why, flag="FI", route=route)
    if "redirect" in route:
        code = rewriting.status(route["redirect"])
        where = rewriting.location(route, request)
        return Outcome(steps=(*steps, Step("redirect", str(code), where)), status=code, route=route)
    if "direct_response" in route:
        code = int(route["direct_response"]["status"])
        taken = (*steps, Step("direct response", str(code)))
        return Outcome(steps=taken, status=code, route=route)
    return to_clusters(found, shares(route["route"]), steps, route, request)


def _faults(fault: Json) -> Iterator[Step]:
    if delay := fault.get("delay"):
        share = percent(delay.get("percentage"))
        yield Step("fault", "delay", f"{delay.get('fixed_delay')} for {share:g} %")
    if abort := fault.get("abort"):
        share = percent(abort.get("percentage"))
        status = abort.get("http_status", abort.get("grpc_status"))
        yield Step("fault", "abort", f"{status} for {share:g} %")


def _certain_abort(fault: Json) -> int | None:
    abort = fault.get("abort") or {}
    if "http_status" in abort and percent(abort.get("percentage")) >= 100:
        return int(abort["http_status"])
    return None


def percent(share: Json | None) -> float:
    """A FractionalPercent in percent; 0 if absent."""
    if not share:
        return 0.0
    scale = {"HUNDRED": 1, "TEN_THOUSAND": 100, "MILLION": 10_000}
    return float(share.get("numerator") or 0) / scale[share.get("denominator") or "HUNDRED"]


def shares(action: Json) -> dict[str, float]:
    """The clusters of an action with their shares in percent."""
    if "cluster" in action:
        return {str(action["cluster"]): 100.0}
    weighted = (action.get("weighted_clusters") or {}).get("clusters") or []
    total = sum(int(one.get("weight") or 0) for one in weighted)
    result: dict[str, float] = {}
    for one in weighted:
        share = 100.0 * int(one.get("weight") or 0) / total if total else 0.0
        result[one["name"]] = result.get(one["name"], 0.0) + share
    return result


def to_clusters(
    found: Configuration,
    targets: Mapping[str, float],
    steps: tuple[Step, ...],
    route: Json | None = None,
    request: Request | None = None,
) -> Outcome:
    """The outcome at the clusters: it fails if one is unknown or has no endpoint."""
    action = (route or {}).get("route") or {}
    endpoints: dict[str, tuple[str, ...]] = {}
    transports: dict[str, str] = {}
    failure, flag = "", ""
    for name, share in targets.items():
        steps += (Step("cluster", name, f"{share:g} %"),)
        why, code, members = _cluster(found, name)
        endpoints[name] = tuple(config.where(one) for one in members)
        transports |= {config.where(one): transport(found.clusters[name], one) for one in members}
        failure, flag = failure or why, flag or code
    return Outcome(
        steps=steps,
        status=_missing(action, flag) if failure else None,
        failure=failure,
        flag=flag,
        clusters=dict(targets),
        endpoints=endpoints,
        transports=transports,
        mirrors=_mirrors(action),
        route=route or {},
        sent=rewriting.forwarded(route, request) if route and request else request,
    )


def _mirrors(action: Json) -> dict[str, float]:
    return {
        str(one["cluster"]): percent((one.get("runtime_fraction") or {}).get("default_value"))
        if one.get("runtime_fraction")
        else 100.0
        for one in action.get("request_mirror_policies") or []
    }


def _missing(action: Json, flag: str) -> int:
    """The status for a cluster that is not there, or has nobody."""
    named = action.get("cluster_not_found_response_code")
    codes = {"INTERNAL_SERVER_ERROR": 500, "NOT_FOUND": 404}
    return codes.get(str(named), 503) if flag == "NC" else 503


def _cluster(found: Configuration, name: str) -> tuple[str, str, list[Json]]:
    """Failure, flag and usable endpoints of a cluster."""
    cluster = found.clusters.get(name)
    if cluster is None:
        return f"cluster {name} does not exist (unknown host, port or subset)", "NC", []
    if any(key in cluster for key in _OWN_DISCOVERY):
        return "", "", []
    members = list(_members(found, name))
    healthy = [one for one in members if one.get("health_status", "") in config.HEALTHY]
    if not members:
        return f"no healthy upstream: cluster {name} has no endpoints", "UH", []
    if not healthy and not _panics(cluster):
        states = sorted({str(one["health_status"]).lower() for one in members})
        why = f"all {len(members)} endpoints of cluster {name} are {' or '.join(states)}"
        return f"no healthy upstream: {why}", "UH", []
    return "", "", healthy or members


def _panics(cluster: Json) -> bool:
    """Whether Envoy calls unhealthy hosts when too few are healthy (the default is below 50 %)."""
    threshold = (cluster.get("common_lb_config") or {}).get("healthy_panic_threshold")
    return threshold is None or float(threshold.get("value") or 0) > 0


def _members(found: Configuration, name: str) -> Iterator[Json]:
    cluster = found.clusters[name]
    assignment = found.endpoints.get(name) or cluster.get("load_assignment") or {}
    for locality in assignment.get("endpoints") or []:
        yield from locality.get("lb_endpoints") or []


def transport(cluster: Json, endpoint: Json) -> str:
    """How an endpoint is called: `MUTUAL`, `TLS` or `PLAINTEXT`."""
    labels = ((endpoint.get("metadata") or {}).get("filter_metadata") or {}).get(_SOCKET_MATCH)
    for one in cluster.get("transport_socket_matches") or ():
        wanted = one.get("match") or {}
        if wanted.items() <= (labels or {}).items():
            return _kind(one.get("transport_socket") or {})
    return _kind(cluster.get("transport_socket") or {})


def _kind(socket: Json) -> str:
    if socket.get("name") != "envoy.transport_sockets.tls":
        return PLAINTEXT
    common = (socket.get("typed_config") or {}).get("common_tls_context") or {}
    certificates = common.get("tls_certificate_sds_secret_configs") or ()
    own = any(one.get("name") == _OWN_CERTIFICATE for one in certificates)
    return MUTUAL if own else TLS
