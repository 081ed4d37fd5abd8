"""What a matched route does: answer by itself, or send the request on to clusters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from meshcourse.embedded.istio.build import filters
from meshcourse.embedded.istio.model import Resources
from meshcourse.embedded.istio.simulate.outcome import Outcome, Step

Json = Mapping[str, Any]

_STATUS: Final = {
    "MOVED_PERMANENTLY": 301,
    "FOUND": 302,
    "SEE_OTHER": 303,
    "TEMPORARY_REDIRECT": 307,
    "PERMANENT_REDIRECT": 308,
}
#: Clusters whose members Envoy resolves at the time of the request.
_OWN_DISCOVERY: Final = ("cluster_type",)


def act(resources: Resources, route: Json, steps: tuple[Step, ...]) -> Outcome:
    """The outcome of a route."""
    if "redirect" in route:
        code = _STATUS[route["redirect"].get("response_code", "MOVED_PERMANENTLY")]
        return Outcome(steps=(*steps, Step("redirect", str(code))), status=code, route=route)
    if "direct_response" in route:
        code = int(route["direct_response"]["status"])
        found = (*steps, Step("direct response", str(code)))
        return Outcome(steps=found, status=code, route=route)
    steps += tuple(_faults(route))
    if (status := _certain_abort(route)) is not None:
        why = f"fault injection aborts every request with {status}"
        return Outcome(steps=steps, status=status, failure=why, flag="FI", route=route)
    action = route["route"]
    return to_clusters(resources, shares(action), steps, route)


def _fault(route: Json) -> Json:
    found: Json = (route.get("typed_per_filter_config") or {}).get(filters.FAULT) or {}
    return found


def _faults(route: Json) -> list[Step]:
    fault = _fault(route)
    result = []
    if delay := fault.get("delay"):
        share = percent(delay.get("percentage"))
        result.append(Step("fault", "delay", f"{delay['fixed_delay']} for {share:g} %"))
    if abort := fault.get("abort"):
        share = percent(abort.get("percentage"))
        status = abort.get("http_status", abort.get("grpc_status"))
        result.append(Step("fault", "abort", f"{status} for {share:g} %"))
    return result


def _certain_abort(route: Json) -> int | None:
    abort = _fault(route).get("abort") or {}
    if "http_status" in abort and percent(abort.get("percentage")) >= 100:
        return int(abort["http_status"])
    return None


def percent(share: Json | None) -> float:
    """A FractionalPercent in percent; 0 if absent."""
    if not share:
        return 0.0
    scale = {"HUNDRED": 1, "TEN_THOUSAND": 100, "MILLION": 10_000}
    return float(share["numerator"]) / scale[share.get("denominator", "HUNDRED")]


def shares(action: Json) -> dict[str, float]:
    """The clusters of an action with their shares in percent."""
    if "cluster" in action:
        return {str(action["cluster"]): 100.0}
    weighted = (action.get("weighted_clusters") or {}).get("clusters") or []
    total = sum(one["weight"] for one in weighted)
    result: dict[str, float] = {}
    for one in weighted:
        result[one["name"]] = result.get(one["name"], 0.0) + 100.0 * one["weight"] / total
    return result


def to_clusters(
    resources: Resources,
    targets: Mapping[str, float],
    steps: tuple[Step, ...],
    route: Json | None = None,
) -> Outcome:
    """The outcome at the clusters: it fails if one is unknown or has no endpoint."""
    mirrors = {
        str(one["cluster"]): percent(one["runtime_fraction"]["default_value"])
        for one in ((route or {}).get("route") or {}).get("request_mirror_policies") or []
    }
    endpoints: dict[str, tuple[str, ...]] = {}
    failure, flag = "", ""
    for name, share in targets.items():
        steps += (Step("cluster", name, f"{share:g} %"),)
        why, code, found = _cluster(resources, name)
        endpoints[name] = found
        failure, flag = failure or why, flag or code
    return Outcome(
        steps=steps,
        status=503 if failure else None,
        failure=failure,
        flag=flag,
        clusters=dict(targets),
        endpoints=endpoints,
        mirrors=mirrors,
        route=route or {},
    )


def _cluster(resources: Resources, name: str) -> tuple[str, str, tuple[str, ...]]:
    """Failure, flag and endpoints of a cluster."""
    cluster = resources.clusters.get(name)
    if cluster is None:
        return f"cluster {name} does not exist (unknown host, port or subset)", "NC", ()
    if any(key in cluster for key in _OWN_DISCOVERY):
        return "", "", ()
    found = addresses(resources, name)
    if not found:
        return f"no healthy upstream: cluster {name} has no endpoints", "UH", ()
    return "", "", found


def addresses(resources: Resources, name: str) -> tuple[str, ...]:
    """``host:port`` of a cluster's endpoints."""
    cluster = resources.clusters[name]
    assignment = resources.endpoints.get(name) or cluster.get("load_assignment") or {}
    return tuple(
        _address(one["endpoint"]["address"])
        for locality in assignment.get("endpoints") or []
        for one in locality.get("lb_endpoints") or []
    )


def _address(address: Json) -> str:
    socket = address.get("socket_address")
    if socket is not None:
        return f"{socket['address']}:{socket['port_value']}"
    internal = address.get("envoy_internal_address") or {}
    return str(internal.get("server_listener_name") or (address.get("pipe") or {}).get("path"))
