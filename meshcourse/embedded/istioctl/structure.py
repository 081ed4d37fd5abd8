"""Fields that an Istio object must not have, and values of the wrong type. Pure.

A file that was never sent to a cluster has not met the schemas of the custom resources; this finds what
they would prune. Istio words it by the protobuf message in which the field is unknown.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from typing import Any, Final

from meshcourse.embedded.istioctl import crds
from meshcourse.embedded.kube import objects
from meshcourse.embedded.kube.objects import Object

_PACKAGES: Final = {
    "networking.istio.io": "istio.networking.v1alpha3",
    "security.istio.io": "istio.security.v1beta1",
    "telemetry.istio.io": "istio.telemetry.v1alpha1",
    "extensions.istio.io": "istio.extensions.v1alpha1",
}
_OTHERS: Final = {"ProxyConfig": "istio.networking.v1beta1"}
#: Messages by the field that holds them, where that says it all.
_MESSAGES: Final[Mapping[str, str]] = {
    "VirtualService.http": "HTTPRoute",
    "VirtualService.tls": "TLSRoute",
    "VirtualService.tcp": "TCPRoute",
    "HTTPRoute.match": "HTTPMatchRequest",
    "HTTPRoute.route": "HTTPRouteDestination",
    "HTTPRoute.redirect": "HTTPRedirect",
    "HTTPRoute.rewrite": "HTTPRewrite",
    "HTTPRoute.retries": "HTTPRetry",
    "HTTPRoute.fault": "HTTPFaultInjection",
    "HTTPRoute.mirror": "Destination",
    "HTTPRoute.mirrors": "HTTPMirrorPolicy",
    "HTTPRoute.corsPolicy": "CorsPolicy",
    "HTTPRoute.delegate": "Delegate",
    "HTTPRoute.directResponse": "HTTPDirectResponse",
    "HTTPRouteDestination.destination": "Destination",
    "HTTPMirrorPolicy.destination": "Destination",
    "HTTPFaultInjection.delay": "HTTPFaultInjection.Delay",
    "HTTPFaultInjection.abort": "HTTPFaultInjection.Abort",
    "TLSRoute.match": "TLSMatchAttributes",
    "TLSRoute.route": "RouteDestination",
    "TCPRoute.match": "L4MatchAttributes",
    "TCPRoute.route": "RouteDestination",
    "RouteDestination.destination": "Destination",
    "Destination.port": "PortSelector",
    "DestinationRule.subsets": "Subset",
    "DestinationRule.trafficPolicy": "TrafficPolicy",
    "Subset.trafficPolicy": "TrafficPolicy",
    "TrafficPolicy.loadBalancer": "LoadBalancerSettings",
    "TrafficPolicy.connectionPool": "ConnectionPoolSettings",
    "TrafficPolicy.outlierDetection": "OutlierDetection",
    "TrafficPolicy.tls": "ClientTLSSettings",
    "TrafficPolicy.portLevelSettings": "TrafficPolicy.PortTrafficPolicy",
    "Gateway.servers": "Server",
    "Server.port": "Port",
    "Server.tls": "ServerTLSSettings",
    "ServiceEntry.ports": "ServicePort",
    "ServiceEntry.endpoints": "WorkloadEntry",
    "AuthorizationPolicy.rules": "Rule",
    "Rule.from": "Rule.From",
    "Rule.to": "Rule.To",
    "Rule.when": "Condition",
    "Rule.From.source": "Source",
    "Rule.To.operation": "Operation",
    "RequestAuthentication.jwtRules": "JWTRule",
    "PeerAuthentication.mtls": "PeerAuthentication.MutualTLS",
    "Sidecar.egress": "IstioEgressListener",
    "Sidecar.ingress": "IstioIngressListener",
    "Telemetry.tracing": "Tracing",
    "Telemetry.accessLogging": "AccessLogging",
    "Telemetry.metrics": "Metrics",
}

_JSON: Final[Mapping[str, type]] = {
    "array": list,
    "object": dict,
    "string": str,
    "boolean": bool,
    "integer": int,
    "number": float,
}
#: What protobuf's JSON reads as each type; numbers may be written as text.
_SCALARS: Final[Mapping[str, tuple[type, ...]]] = {
    "string": (str,),
    "boolean": (bool,),
    "integer": (int, float, str),
    "number": (int, float, str),
}


def unknown(obj: Object) -> list[str]:
    """``unknown field "hostz" in istio.networking.v1alpha3.VirtualService`` for each one."""
    kind = str(obj.get("kind") or "")
    group = str(obj.get("apiVersion") or "").rpartition("/")[0]
    schema = _schemas().get((group, kind))
    if schema is None or not isinstance(obj.get("spec"), dict):
        return []
    package = _OTHERS.get(kind) or _PACKAGES[group]
    return [
        f'unknown field "{field}" in {package}.{message}'
        for field, message in _walk(obj["spec"], schema, kind)
    ]


def mistyped(obj: Object) -> list[str]:
    """``spec.http: expected array, got string`` for each value that no reader of the kind understands."""
    kind = str(obj.get("kind") or "")
    group = str(obj.get("apiVersion") or "").rpartition("/")[0]
    schema = _schemas().get((group, kind))
    if schema is None or obj.get("spec") is None:
        return []
    return list(_types(obj["spec"], schema, "spec"))


def _types(value: Any, schema: Mapping[str, Any], path: str) -> Iterator[str]:
    expected = schema.get("type")
    if expected in ("array", "object") and _JSON[expected] is not type(value):
        yield f"{path}: expected {expected}, got {_name(value)}"
    elif isinstance(value, list):
        for number, one in enumerate(value):
            yield from _types(one, schema.get("items") or {}, f"{path}[{number}]")
    elif isinstance(value, dict):
        every = schema.get("additionalProperties")
        known = schema.get("properties") or {}
        for field, part in value.items():
            inner = known.get(field, every if isinstance(every, dict) else {})
            if part is not None:
                yield from _types(part, inner, f"{path}.{field}")
    elif not isinstance(value, _SCALARS.get(str(expected), object)):
        yield f"{path}: expected {expected}, got {_name(value)}"


def _name(value: Any) -> str:
    """A value's type in the words of JSON."""
    return next((name for name, kind in _JSON.items() if type(value) is kind), "null")


@functools.cache
def _schemas() -> dict[tuple[str, str], Object]:
    """The schema of the spec of each of Istio's kinds."""
    found = {}
    for crd in crds.istio():
        group, kind = crd["spec"]["group"], objects.dig(crd, "spec.names.kind")
        schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
        found[group, kind] = schema["properties"].get("spec") or {}
    return found


def _walk(value: Any, schema: Mapping[str, Any], message: str) -> Iterator[tuple[str, str]]:
    """Unknown fields, and the messages in which they are."""
    if isinstance(value, list):
        for one in value:
            yield from _walk(one, schema.get("items") or {}, message)
    elif isinstance(value, dict):
        yield from _fields(value, schema, message)


def _fields(
    value: Mapping[str, Any], schema: Mapping[str, Any], message: str
) -> Iterator[tuple[str, str]]:
    every = schema.get("additionalProperties")
    known = schema.get("properties")
    if schema.get("x-kubernetes-preserve-unknown-fields") or (known is None and every is None):
        return
    for field, part in value.items():
        inner = _MESSAGES.get(f"{message}.{field}", f"{message}.{field}")
        if known and field in known:
            yield from _walk(part, known[field], inner)
        elif isinstance(every, dict):
            yield from _walk(part, every, message)
        elif not every:
            yield field, message
