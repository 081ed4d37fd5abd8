"""HTTP routes of a VirtualService for one port, on sidecars and gateways alike.

Source: istio.io reference of HTTPRoute, pilot's route builder (order, names, decorators, catch-all
rule).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from meshcourse.embedded.istio import destination_rules, durations, names
from meshcourse.embedded.istio.build import (
    proto,
    route_action,
    route_faults,
    route_headers,
    route_match,
    route_retry,
)
from meshcourse.embedded.istio.build.reporting import route_tracing
from meshcourse.embedded.istio.destination_rules import Rule
from meshcourse.embedded.istio.model import Json, MeshConfig, Service
from meshcourse.embedded.istio.virtual_services import VirtualService

DEFAULT: Final = "default"


@dataclass(frozen=True, slots=True)
class Context:
    """For whom routes are built.

    :param port: the port the client called (service port, or the gateway server's).
    :param gateways: ``{"mesh"}`` or the gateway's ``namespace/name``.
    :param service: looks a host up; :param rule: the DestinationRule of a host.
    :param sampling: percent of traces that start here, None without a tracer.
    :param tls: whether the gateway server terminates TLS (for redirects).
    """

    mesh: MeshConfig
    port: int
    gateways: frozenset[str]
    labels: Mapping[str, str]
    namespace: str
    service: Callable[[str], Service | None]
    rule: Callable[[str], Rule | None]
    tls: bool = False
    sampling: float | None = None

    def cluster(self, destination: Mapping[str, Any]) -> str:
        """The cluster a destination names. Without a port: the service's only one, else the called
        one.
        """
        host = destination.get("host") or ""
        if not host:
            return "UnknownService"
        service = self.service(host)
        port = (destination.get("port") or {}).get("number")
        if not port:
            only = service is not None and len(service.ports) == 1
            port = service.ports[0].number if only and service else self.port
        return names.outbound(int(port), destination.get("subset") or "", host)

    def hash(self, destination: Mapping[str, Any]) -> Json | None:
        """The consistent hash of a destination."""
        port = (destination.get("port") or {}).get("number")
        rule = self.rule(destination.get("host") or "")
        return destination_rules.consistent_hash(rule, port, destination.get("subset") or "")


def routes(rule: VirtualService, context: Context) -> list[Json]:
    """Envoy routes in order; nothing follows a route that catches everything."""
    result = []
    for http in rule.http:
        for match in http.get("match") or [None]:
            route = _route(rule, http, match, context)
            if route is None:
                continue
            result.append(route)
            if match is None or route_match.catches_all(route["match"]):
                return result
    return result


def _route(
    rule: VirtualService, http: Mapping[str, Any], match: Mapping[str, Any] | None, context: Context
) -> Json | None:
    if not _applies(match, context):
        return None
    result: Json = {
        "name": _name(http, match),
        "match": route_match.build(match, semantics=rule.semantics),
        "metadata": config_metadata(rule),
    }
    operations = route_headers.build(http.get("headers"))
    result |= operations.fields
    if prefix := (match or {}).get("statPrefix"):
        result["stat_prefix"] = prefix
    _act(result, rule, http, operations.authority, context)
    if per_filter := route_faults.per_filter(http):
        result["typed_per_filter_config"] = per_filter
    result["decorator"] = {"operation": operation(result, rule.name, context.port)}
    if (tracing := route_tracing(context.sampling)) is not None:
        result["tracing"] = tracing
    return {key: value for key, value in result.items() if value != ""}


def _applies(match: Mapping[str, Any] | None, context: Context) -> bool:
    if match and match.get("port") and int(match["port"]) != context.port:
        return False
    return route_match.from_source(
        match, labels=context.labels, namespace=context.namespace, gateways=context.gateways
    )


def _name(http: Mapping[str, Any], match: Mapping[str, Any] | None) -> str:
    name = http.get("name") or ""
    inner = (match or {}).get("name") or ""
    return f"{name}.{inner}" if inner else name


def _act(
    result: Json, rule: VirtualService, http: Mapping[str, Any], authority: str, context: Context
) -> None:
    """Puts the action into the route: redirect before direct response before destinations."""
    if http.get("redirect") is not None:
        result["redirect"] = route_action.redirect(
            http["redirect"], port=context.port, tls=context.tls, semantics=rule.semantics
        )
    elif http.get("directResponse") is not None:
        result["direct_response"] = route_action.direct_response(http["directResponse"])
    else:
        action, headers = _forward(rule, http, result["match"], authority, context)
        result["route"] = action
        result |= route_headers.merge(
            {key: one for key, one in result.items() if "headers_to_" in key}, headers
        )


def _forward(
    rule: VirtualService, http: Mapping[str, Any], match: Json, authority: str, context: Context
) -> tuple[Json, Json]:
    """The RouteAction, and header operations that belong on the route (of a lone destination)."""
    action, removed = timeouts(http.get("timeout")), ""
    if rule.semantics == "gateway":
        removed = match.get("path_separated_prefix", "")
        action["cluster_not_found_response_code"] = "INTERNAL_SERVER_ERROR"
    action |= route_action.rewrite(http.get("rewrite"), authority, removed)
    if mirrors := list(_mirrors(http, context)):
        action["request_mirror_policies"] = mirrors
    targets = [one for one in http.get("route") or [] if one.get("destination") is not None]
    headers = _destinations(action, targets, context)
    hashes = [found for one in targets if (found := context.hash(one["destination"]))]
    policies = [policy for one in hashes if (policy := route_action.hash_policy(one))]
    if policies:
        action["hash_policy"] = policies
    retries = http.get("retries") or context.mesh.default_http_retry
    retry = route_retry.build(retries, hashed=len(targets) == 1 and bool(hashes))
    if retry is not None:
        action["retry_policy"] = retry
    return action, headers


def timeouts(timeout: str | None) -> Json:
    """No timeout unless the rule sets one; gRPC's own deadline is never longer than it."""
    value = durations.proto(timeout) or proto.NO_TIMEOUT
    return {"timeout": value, "max_grpc_timeout": value}


def _destinations(action: Json, targets: list[Mapping[str, Any]], context: Context) -> Json:
    if len(targets) == 1:
        operations = route_headers.build(targets[0].get("headers"))
        action["cluster"] = context.cluster(targets[0]["destination"])
        if operations.authority and "host_rewrite_literal" not in action:
            action["host_rewrite_literal"] = operations.authority
        return operations.fields
    weighted = [_weighted(one, context) for one in targets if one.get("weight")]
    action["weighted_clusters"] = {"clusters": weighted}
    return {}


def _weighted(target: Mapping[str, Any], context: Context) -> Json:
    operations = route_headers.build(target.get("headers"))
    result: Json = {
        "name": context.cluster(target["destination"]),
        "weight": int(target["weight"]),
        **operations.fields,
    }
    if operations.authority:
        result["host_rewrite_literal"] = operations.authority
    return result


def _mirrors(http: Mapping[str, Any], context: Context) -> Iterator[Json]:
    if http.get("mirror"):
        share = _mirror_share(http)
        if share:
            yield _mirror(context.cluster(http["mirror"]), share)
    for one in http.get("mirrors") or []:
        share = float((one.get("percentage") or {"value": 100}).get("value") or 0)
        if share and one.get("destination"):
            yield _mirror(context.cluster(one["destination"]), share)


def _mirror_share(http: Mapping[str, Any]) -> float:
    if http.get("mirrorPercentage") is not None:
        return float(http["mirrorPercentage"].get("value") or 0)
    old = http.get("mirrorPercent", http.get("mirror_percent"))
    return 100.0 if old is None else float(old)


def _mirror(cluster: str, share: float) -> Json:
    return {
        "cluster": cluster,
        "runtime_fraction": proto.runtime_percent(share),
        "trace_sampled": False,
    }


def config_metadata(rule: VirtualService) -> Json:
    """Istio's note of which object a route came from."""
    path = f"/apis/networking.istio.io/v1/namespaces/{rule.namespace}/virtual-service/{rule.name}"
    return {"filter_metadata": {"istio": {"config": path}}}


def operation(route: Json, name: str, port: int) -> str:
    """The span's name: host, port and path of a lone destination, else the rule's name."""
    match = route["match"]
    path = "/*"
    if "prefix" in match:
        path = f"{match['prefix']}*"
    elif "path" in match:
        path = match["path"]
    elif "safe_regex" in match:
        path = match["safe_regex"]["regex"]
    target = names.parse((route.get("route") or {}).get("cluster", ""))
    return f"{target.host}:{target.port}{path}" if target else f"{name}:{port}{path}"


def default(cluster: str, operation_name: str, context: Context, hashing: Json | None) -> Json:
    """The route of a service without a VirtualService."""
    action: Json = {"cluster": cluster, **timeouts(None)}
    if (retry := route_retry.build(context.mesh.default_http_retry)) is not None:
        action["retry_policy"] = retry
    if policy := route_action.hash_policy(hashing):
        action["hash_policy"] = [policy]
    result: Json = {
        "name": DEFAULT,
        "match": {"prefix": "/"},
        "decorator": {"operation": operation_name},
        "route": action,
    }
    if (tracing := route_tracing(context.sampling)) is not None:
        result["tracing"] = tracing
    return result
