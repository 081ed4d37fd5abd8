"""Fields that the embedded cluster accepts and cannot act on: each use is warned about, never passed over.

``docs/unsupported.md`` is generated from these tables (``python -m tests.conformance --write``), and a test holds
them against the CRDs. A path ends at a field or at a whole subtree; ``[]`` is an item of a list, ``{}`` a value of
a map. Real Istio supports what is listed here unless the reason says otherwise.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from meshcourse.embedded.istio.validate.findings import Warn
from meshcourse.embedded.istio.validate.item import Item

Reasons = Mapping[str, str]

_NETWORKING: Final = "networking.istio.io"
_GATEWAY_API: Final = "gateway.networking.k8s.io"

_BY_NAME: Final = "applications here connect by name, so that a proxy does not see addresses"
_OWN_ADDRESS: Final = "every pod here listens at its own loopback address"
_NEVER: Final = "Istio never implemented it"
_ONE_NETWORK: Final = "there is one network"
_NO_IPTABLES: Final = "traffic is captured by the proxy variables, not by iptables"
_EXPERIMENTAL: Final = "experimental in the Gateway API; the Istio taught ignores it, too"
_EXTERNAL_AUTH: Final = (
    "experimental in the Gateway API; use an AuthorizationPolicy with action CUSTOM"
)
_ACROSS: Final = "Istio supports no reference to another namespace"
_REFERENCES: Final = {"targetRef.namespace": _ACROSS, "targetRefs[].namespace": _ACROSS}
_PORT_DECIDES: Final = "the protocol of the port decides how the application is called"
_EXTENSION: Final = "Istio defines no filter of its own for it"

_POLICY: Final = {
    "outlierDetection.consecutiveErrors": "removed from Istio; write consecutive5xxErrors",
}
_SUBSET_POLICY: Final = {
    "tunnel": "tunnels through a proxy outside of the mesh are not built",
    "proxyProtocol": "the PROXY protocol towards services is not spoken",
    **_POLICY,
}


def _below(prefix: str, found: Reasons) -> dict[str, str]:
    return {f"{prefix}.{path}": reason for path, reason in found.items()}


#: Kinds of which nothing takes effect.
KINDS: Final[Mapping[tuple[str, str], str]] = {
    ("extensions.istio.io", "WasmPlugin"): "the proxies here run no WebAssembly of users",
    ("extensions.istio.io", "TrafficExtension"): "write an EnvoyFilter for Lua instead",
    (_NETWORKING, "WorkloadGroup"): "no machine registers itself here; write WorkloadEntries",
    (_NETWORKING, "ProxyConfig"): (
        "write the annotation proxy.istio.io/config on the pod, or meshConfig.defaultConfig"
    ),
}

#: Fields by kind.
FIELDS: Final[Mapping[tuple[str, str], Reasons]] = {
    (_NETWORKING, "VirtualService"): {
        "http[].fault.delay.exponentialDelay": _NEVER,
        "http[].fault.abort.http2Error": _NEVER,
        "tls[].match[].destinationSubnets": _BY_NAME,
        "tcp[].match[].destinationSubnets": _BY_NAME,
        "tcp[].match[].sourceSubnet": _NEVER,
    },
    (_NETWORKING, "DestinationRule"): {
        **_below("trafficPolicy", _SUBSET_POLICY),
        **_below("trafficPolicy.portLevelSettings[]", _POLICY),
        **_below("subsets[].trafficPolicy", _SUBSET_POLICY),
        **_below("subsets[].trafficPolicy.portLevelSettings[]", _POLICY),
    },
    (_NETWORKING, "Gateway"): {
        "servers[].bind": _OWN_ADDRESS,
        "servers[].defaultEndpoint": _NEVER,
        "servers[].port.targetPort": "deprecated, and without effect in Istio, too",
        "servers[].tls.tlsCertificates[].caCertificates": "write servers[].tls.caCertificates",
    },
    (_NETWORKING, "ServiceEntry"): {"endpoints[].network": _ONE_NETWORK},
    (_NETWORKING, "WorkloadEntry"): {"network": _ONE_NETWORK},
    (_NETWORKING, "Sidecar"): {
        "ingress[].bind": _OWN_ADDRESS,
        "ingress[].captureMode": _NO_IPTABLES,
        "ingress[].port.targetPort": "deprecated, and without effect in Istio, too",
        "ingress[].connectionPool.http.h2UpgradePolicy": _PORT_DECIDES,
        "inboundConnectionPool.http.h2UpgradePolicy": _PORT_DECIDES,
        "ingress[].tls": "sidecars serve mutual TLS of the mesh only",
        "egress[].bind": _NO_IPTABLES,
        "egress[].captureMode": _NO_IPTABLES,
        "egress[].port.targetPort": "deprecated, and without effect in Istio, too",
        "outboundTrafficPolicy.egressProxy": "unknown hosts are called directly or not at all",
    },
    (_NETWORKING, "EnvoyFilter"): {
        "targetRefs[].namespace": _ACROSS,
        "configPatches[].match.listener.portName": "Istio ignores it, too; write portNumber",
        "configPatches[].match.waypoint": "there is no ambient mode here",
        "configPatches[].patch.filterClass": "write INSERT_BEFORE or INSERT_AFTER with a filter",
    },
    ("security.istio.io", "RequestAuthentication"): {
        **_REFERENCES,
        "jwtRules[].timeout": "istiod fetches keys here, with a timeout of its own",
    },
    ("security.istio.io", "AuthorizationPolicy"): _REFERENCES,
    ("telemetry.istio.io", "Telemetry"): {
        **_REFERENCES,
        "tracing[].disableContextPropagation": "the proxies here always pass the context on",
        "tracing[].useRequestIdForTraceSampling": "sampling here is by chance only",
        "metrics[].reportingInterval": "metrics of connections are counted when they open and close",
    },
    (_GATEWAY_API, "GatewayClass"): {"parametersRef": "classes here have no parameters"},
    (_GATEWAY_API, "Gateway"): {
        "infrastructure.parametersRef": "the Deployment of a Gateway is not customised",
        "allowedListeners": _EXPERIMENTAL,
        "defaultScope": _EXPERIMENTAL,
        "tls.backend": _EXPERIMENTAL,
    },
    (_GATEWAY_API, "HTTPRoute"): {
        "useDefaultGateways": _EXPERIMENTAL,
        "rules[].filters[].externalAuth": _EXTERNAL_AUTH,
        "rules[].filters[].extensionRef": _EXTENSION,
        "rules[].backendRefs[].filters[].externalAuth": _EXTERNAL_AUTH,
        "rules[].backendRefs[].filters[].extensionRef": _EXTENSION,
        **{
            f"rules[].backendRefs[].filters[].{name}": "only headers are changed for a backend"
            for name in ("cors", "requestMirror", "requestRedirect", "urlRewrite")
        },
        "rules[].sessionPersistence": _EXPERIMENTAL,
    },
    (_GATEWAY_API, "GRPCRoute"): {
        "useDefaultGateways": _EXPERIMENTAL,
        "rules[].filters[].extensionRef": _EXTENSION,
        "rules[].backendRefs[].filters[].extensionRef": _EXTENSION,
        "rules[].backendRefs[].filters[].requestMirror": "only headers are changed for a backend",
        "rules[].sessionPersistence": _EXPERIMENTAL,
    },
    (_GATEWAY_API, "TLSRoute"): {"useDefaultGateways": _EXPERIMENTAL},
    (_GATEWAY_API, "TCPRoute"): {"useDefaultGateways": _EXPERIMENTAL},
}

#: Single values of fields that are supported otherwise: kind → path → value → reason.
VALUES: Final[Mapping[tuple[str, str], Mapping[str, Reasons]]] = {
    (_NETWORKING, "EnvoyFilter"): {
        "configPatches[].applyTo": {"BOOTSTRAP": "the bootstrap is written when a pod starts"},
        "configPatches[].match.context": {"WAYPOINT": "there is no ambient mode here"},
    },
    ("telemetry.istio.io", "Telemetry"): {
        "metrics[].overrides[].match.metric": dict.fromkeys(
            ("GRPC_REQUEST_MESSAGES", "GRPC_RESPONSE_MESSAGES"),
            "messages of gRPC streams are not counted here",
        )
    },
}


def warnings(item: Item) -> Iterator[Warn]:
    """What an object uses that has no effect on the embedded cluster."""
    key = (item.group, item.kind)
    if reason := KINDS.get(key):
        yield Warn(f"{item.kind} has no effect on the embedded cluster: {reason}")
        return
    for path, reason in FIELDS.get(key, {}).items():
        for place, _ in _found(item.spec, path.split("."), "spec"):
            yield Warn(f"{place} has no effect on the embedded cluster: {reason}")
    for path, reasons in VALUES.get(key, {}).items():
        for place, value in _found(item.spec, path.split("."), "spec"):
            if why := reasons.get(str(value)):
                yield Warn(f"{place}: {value} has no effect on the embedded cluster: {why}")


def _found(part: Any, path: list[str], place: str) -> Iterator[tuple[str, Any]]:
    """Where a path is set, and to what."""
    if not path:
        yield place, part
        return
    name, *rest = path
    listed = name.endswith("[]")
    name = name.removesuffix("[]")
    value = part.get(name) if isinstance(part, Mapping) else None
    if value is None:
        return
    if not listed:
        yield from _found(value, rest, f"{place}.{name}")
    elif isinstance(value, list):
        for number, one in enumerate(value):
            yield from _found(one, rest, f"{place}.{name}[{number}]")
