"""One set of objects per message that raises it, and a similar one that does not."""

from __future__ import annotations

import base64
import json
from typing import Any, NamedTuple

from tests.unit.istioctl.analyze.objects import (
    Object,
    gateway,
    make,
    namespace,
    pod,
    route,
    service,
)


class Case(NamedTuple):
    """`bad` raises `text` (the message without its place); `good` raises nothing of `code`."""

    code: str
    text: str
    bad: list[Object]
    good: list[Object]
    mesh: Object | None = None


_HTTP = "[{port: {number: 80, name: http, protocol: HTTP}, hosts: [a.com]}]"
_INGRESS = pod("istio-system/ingress", "istio=ingressgateway")
_INGRESS_SERVICE = service(
    "istio-system/ingress",
    "[{name: http, port: 80, targetPort: 8080, protocol: TCP}]",
    "{istio: ingressgateway}",
)
_REVIEWS = service("reviews")
_SUBSETS = "{host: reviews, subsets: [{name: v1, labels: {version: v1}}]}"


def _secret(content: bytes) -> Object:
    data = {"tls.crt": base64.b64encode(content).decode(), "tls.key": "a2V5"}
    return make("Secret", "istio-system/cert", data=data)


def certificate() -> bytes:
    """A certificate that can be read."""
    import datetime as dt

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a.com")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + dt.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM)


def _deployment(name: str, pod_spec: str = "{}", labels: str = "{app: web}", **more: Any) -> Object:
    text = f"{{template: {{metadata: {{labels: {labels}}}, spec: {pod_spec}}}}}"
    return make("Deployment", name, text, **more)


def _tls(name: str, credential: str = "cert", selector: str = "{istio: ingressgateway}") -> Object:
    server = (
        "{port: {number: 80, name: https, protocol: HTTPS}, hosts: [b.com], "
        f"tls: {{mode: SIMPLE, credentialName: {credential}}}}}"
    )
    return gateway(name, f"[{server}]", selector)


def _filter(patch: str, more: str = "") -> Object:
    return make("EnvoyFilter", "f", f"{{configPatches: [{patch}]{more}}}")


def _injector(**values: Any) -> Object:
    data = {"values": json.dumps(values)}
    return make("ConfigMap", "istio-system/istio-sidecar-injector", data=data)


def _hooks(*hooks: Object) -> Object:
    return make("MutatingWebhookConfiguration", "istio-sidecar-injector", webhooks=list(hooks))


def _hook(name: str, **more: Any) -> Object:
    where = {"service": {"name": "istiod", "namespace": "istio-system"}}
    return {"name": f"{name}.istio.io", "clientConfig": where, **more}


def _enabled(value: str) -> Object:
    return {"matchLabels": {"istio-injection": value}}


_ISTIOD = service("istio-system/istiod")
_CLAIM = route(
    "vs",
    "{host: reviews}",
    ", gateways: [gw], x: 0",
)
_CLAIM["spec"]["http"][0]["match"] = [{"headers": {"@request.auth.claims.group": {"exact": "a"}}}]
_CLAIM_TEXT = (
    "The virtual service uses the JWT claim based routing (key: @request.auth.claims.group) but found no "
    "request authentication for the gateway (default/gw) pod (ingress). The request authentication must "
    "first be applied for the gateway pods to validate the JWT token and make the claims available for "
    "routing."
)
_NOT_INJECTED = (
    "The namespace is not enabled for Istio injection. Run 'kubectl label namespace shop "
    "istio-injection=enabled' to enable it, or 'kubectl label namespace shop istio-injection=disabled' "
    "to explicitly mark it as not needing injection."
)
_PLAIN_POD = make("Pod", "p", "containers: [{name: app, image: web}]")
_BAD_TLS = "{host: b.com, trafficPolicy: {tls: {mode: SIMPLE}}}"
_GOOD_TLS = "{host: b.com, trafficPolicy: {tls: {mode: SIMPLE, caCertificates: /ca.pem}}}"
_BAD_PORT_TLS = "{host: b.com, trafficPolicy: {portLevelSettings: [{port: {number: 443}, tls: {mode: MUTUAL}}]}}"
_ONE_MATCH = "{match: [{uri: {prefix: /a}}], route: [{destination: {host: reviews}}]}"
_PART_MATCH = (
    "{match: [{uri: {prefix: /a}}, {uri: {prefix: /b}}], route: [{destination: {host: reviews}}]}"
)
_OTHER_MATCH = "{match: [{uri: {prefix: /c}}], route: [{destination: {host: reviews}}]}"


def _rules(*rules: str) -> Object:
    return make("VirtualService", "vs", f"{{hosts: [reviews], http: [{', '.join(rules)}]}}")


def _sidecar(name: str, selector: str = "") -> Object:
    return make("Sidecar", name, f"{{egress: [{{hosts: ['./*']}}]{selector}}}")


def _telemetry(name: str, text: str = "tracing: []") -> Object:
    return make("Telemetry", name, f"{{{text}}}")


_WEB = ", workloadSelector: {labels: {app: web}}"
_WEB_TELEMETRY = "selector: {matchLabels: {app: web}}"
_CONDITION: Object = {
    "type": "Accepted",
    "status": "False",
    "reason": "NoMatchingParent",
    "message": "no parent",
}

CASES = [
    Case(
        "IST0001",
        "Internal error: service.PortNameAnalyzer: AttributeError: 'int' object has no attribute 'get'",
        [service("s", "[1]")],
        [service("s", "[{name: http, port: 1}]")],
    ),
    Case(
        "IST0002",
        "Deprecated: HTTPRoute.fault.delay.percent is deprecated; use HTTPRoute.fault.delay.percentage",
        [
            _rules(
                "{fault: {delay: {percent: 5, fixedDelay: 1s}}, route: [{destination: {host: a}}]}"
            )
        ],
        [_rules("{fault: {delay: {percentage: {value: 5}, fixedDelay: 1s}}}")],
    ),
    Case(
        "IST0002",
        "Deprecated: The Lightstep provider ls is deprecated, please migrate to OpenTelemetry provider.",
        [_telemetry("t", "tracing: [{providers: [{name: ls}]}]")],
        [_telemetry("t", "tracing: [{providers: [{name: jaeger}]}]")],
        {"extensionProviders": [{"name": "ls", "lightstep": {}}, {"name": "jaeger"}]},
    ),
    Case(
        "IST0101",
        'Referenced host not found: "nowhere"',
        [_REVIEWS, route("vs", "{host: nowhere}")],
        [_REVIEWS, route("vs", "{host: reviews.default.svc.cluster.local}")],
    ),
    Case(
        "IST0101",
        'Referenced host:port not found: "reviews:81"',
        [_REVIEWS, route("vs", "{host: reviews, port: {number: 81}}")],
        [_REVIEWS, route("vs", "{host: reviews, port: {number: 80}}")],
    ),
    Case(
        "IST0101",
        'Referenced host+subset in destinationrule not found: "reviews+v9"',
        [
            _REVIEWS,
            route("vs", "{host: reviews, subset: v9}"),
            make("DestinationRule", "r", _SUBSETS),
        ],
        [
            _REVIEWS,
            route("vs", "{host: reviews, subset: v1}"),
            make("DestinationRule", "r", _SUBSETS),
        ],
    ),
    Case(
        "IST0101",
        'Referenced gateway not found: "gw"',
        [_REVIEWS, route("vs", "{host: reviews}", ", gateways: [gw]")],
        [_REVIEWS, route("vs", "{host: reviews}", ", gateways: [mesh]")],
    ),
    Case(
        "IST0101",
        'Referenced selector not found: "istio=ingressgateway"',
        [gateway("gw", _HTTP)],
        [gateway("gw", _HTTP), _INGRESS],
    ),
    Case(
        "IST0101",
        'Referenced credentialName not found: "cert"',
        [_tls("gw"), _INGRESS],
        [_tls("gw"), _INGRESS, _secret(certificate())],
    ),
    Case(
        "IST0101",
        'Referenced namespace not found: "gone*"',
        [make("AuthorizationPolicy", "p", "rules: [{from: [{source: {namespaces: ['gone*']}}]}]")],
        [
            make(
                "AuthorizationPolicy", "p", "rules: [{from: [{source: {namespaces: ['gone*']}}]}]"
            ),
            namespace("gone-fishing", istio_injection="enabled"),
        ],
    ),
    Case(
        "IST0102",
        _NOT_INJECTED,
        [namespace("shop")],
        [namespace("shop", istio_injection="disabled")],
    ),
    Case(
        "IST0103",
        "The pod default/p is missing the Istio proxy. This can often be resolved by restarting or "
        "redeploying the workload.",
        [namespace("default", istio_injection="enabled"), _PLAIN_POD],
        [namespace("default", istio_injection="enabled"), pod("p")],
    ),
    Case(
        "IST0106",
        "Schema validation error: total destination weight = 0",
        [
            _rules(
                "{route: [{destination: {host: a}, weight: 0}, {destination: {host: b}, weight: 0}]}"
            )
        ],
        [
            _rules(
                "{route: [{destination: {host: a}, weight: 60}, {destination: {host: b}, weight: 40}]}"
            )
        ],
    ),
    Case(
        "IST0107",
        "Misplaced annotation: networking.istio.io/exportTo can only be applied to Service",
        [pod("p", annotations={"networking.istio.io/exportTo": "."})],
        [make("Service", "s", annotations={"networking.istio.io/exportTo": "."})],
    ),
    Case(
        "IST0108",
        "Unknown annotation: sidecar.istio.io/unheard-of",
        [pod("p", annotations={"sidecar.istio.io/unheard-of": "1"})],
        [pod("p", annotations={"example.com/unheard-of": "1"})],
    ),
    Case(
        "IST0109",
        "The VirtualServices default/a,default/b associated with mesh gateway define the same host "
        "*/reviews.default.svc.cluster.local which can lead to undefined behavior. This can be fixed by "
        "merging the conflicting VirtualServices into a single resource.",
        [route("a", "{host: reviews}"), route("b", "{host: reviews}")],
        [route("a", "{host: reviews}"), route("b", "{host: reviews}", ", gateways: [gw]")],
    ),
    Case(
        "IST0110",
        'The Sidecars [a b] in namespace "default" select the same workload pod "web-1", which can lead '
        "to undefined behavior.",
        [pod("web-1", "app=web"), _sidecar("a", _WEB), _sidecar("b", _WEB)],
        [pod("web-1", "app=web"), _sidecar("a", _WEB), _sidecar("b")],
    ),
    Case(
        "IST0111",
        'The Sidecars [a b] in namespace "default" have no workload selector, which can lead to '
        "undefined behavior.",
        [_sidecar("a"), _sidecar("b")],
        [_sidecar("a"), _sidecar("other/b")],
    ),
    Case(
        "IST0112",
        'This VirtualService routes to a service "reviews" that exposes multiple ports [80 81]. Specifying '
        "a port in the destination is required to disambiguate.",
        [service("reviews", "[{port: 80}, {port: 81}]"), route("vs", "{host: reviews}")],
        [service("reviews", "[{port: 80}]"), route("vs", "{host: reviews}")],
    ),
    Case(
        "IST0116",
        "This deployment web is associated with multiple services using port 53 but different protocols: "
        "[default/a default/b]",
        [
            namespace("default", istio_injection="enabled"),
            _deployment("web"),
            service("a", "[{port: 53, protocol: UDP}]", "{app: web}"),
            service("b", "[{port: 53, protocol: TCP}]", "{app: web}"),
        ],
        [
            namespace("default", istio_injection="enabled"),
            _deployment("web"),
            service("a", "[{port: 53, protocol: UDP}]", "{app: web}"),
            service("b", "[{port: 53, protocol: TCP}]", "{app: other}"),
        ],
    ),
    Case(
        "IST0118",
        "Port name foo (port: 80, targetPort: 8080) doesn't follow the naming convention of Istio port.",
        [service("s", "[{name: foo, port: 80, targetPort: 8080}]")],
        [service("s", "[{name: http-foo, port: 80}, {name: foo, port: 81, appProtocol: grpc}]")],
    ),
    Case(
        "IST0123",
        "The namespace has more than one type of injection labels [istio-injection=enabled "
        "istio.io/rev=canary], which may lead to undefined behavior. Make sure only one injection label "
        "exists.",
        [make("Namespace", "n", labels={"istio-injection": "enabled", "istio.io/rev": "canary"})],
        [make("Namespace", "n", labels={"istio-injection": "disabled", "istio.io/rev": "canary"})],
    ),
    Case(
        "IST0125",
        "Invalid annotation traffic.sidecar.istio.io/excludeInboundPorts: excludeInboundPorts invalid: "
        "failed parsing port 'x': failed parsing port 'x': strconv.ParseUint: parsing \"x\": invalid syntax",
        [pod("p", annotations={"traffic.sidecar.istio.io/excludeInboundPorts": "80,x"})],
        [pod("p", annotations={"traffic.sidecar.istio.io/excludeInboundPorts": "80, 81"})],
    ),
    Case(
        "IST0127",
        "No matching workloads for this resource with the following labels: app=web",
        [
            make("AuthorizationPolicy", "p", "selector: {matchLabels: {app: web}}"),
            pod("x", "app=api"),
        ],
        [
            make("AuthorizationPolicy", "p", "selector: {matchLabels: {app: web}}"),
            pod("x", "app=web"),
        ],
    ),
    Case(
        "IST0128",
        "DestinationRule default/r in namespace default has TLS mode set to SIMPLE but no caCertificates "
        "are set to validate server identity for host: b.com",
        [make("DestinationRule", "r", _BAD_TLS)],
        [make("DestinationRule", "r", _GOOD_TLS)],
    ),
    Case(
        "IST0129",
        "DestinationRule default/r in namespace default has TLS mode set to MUTUAL but no caCertificates "
        "are set to validate server identity for host: b.com at port number:443",
        [make("DestinationRule", "r", _BAD_PORT_TLS)],
        [make("DestinationRule", "r", _BAD_PORT_TLS.replace("MUTUAL", "ISTIO_MUTUAL"))],
    ),
    Case(
        "IST0130",
        "VirtualService rule #1 not used (all matches used by prior rules).",
        [_rules(_ONE_MATCH, _ONE_MATCH)],
        [_rules(_ONE_MATCH, _OTHER_MATCH)],
    ),
    Case(
        "IST0131",
        "VirtualService rule #1 match #0 is not used (duplicate/overlapping match in rule #0).",
        [_rules(_ONE_MATCH, _PART_MATCH)],
        [_rules(_ONE_MATCH, _OTHER_MATCH)],
    ),
    Case(
        "IST0132",
        "one or more host [reviews] defined in VirtualService default/vs not found in Gateway default/gw.",
        [gateway("gw", _HTTP), route("vs", "{host: reviews}", ", gateways: [gw]")],
        [
            gateway("gw", _HTTP.replace("a.com", "'*'")),
            route("vs", "{host: reviews}", ", gateways: [gw]"),
        ],
    ),
    Case(
        "IST0133",
        "Schema validation warning: outlier detection consecutive errors is deprecated, use "
        "consecutiveGatewayErrors or consecutive5xxErrors instead",
        [
            make(
                "DestinationRule",
                "r",
                "{host: b.com, trafficPolicy: {outlierDetection: {consecutiveErrors: 3}}}",
            )
        ],
        [
            make(
                "DestinationRule",
                "r",
                "{host: b.com, trafficPolicy: {outlierDetection: {consecutive5xxErrors: 3}}}",
            )
        ],
    ),
    Case(
        "IST0134",
        "ServiceEntry addresses are required for this protocol.",
        [
            make(
                "ServiceEntry",
                "e",
                "{hosts: [b.com], ports: [{number: 9, name: tcp, protocol: TCP}]}",
            )
        ],
        [
            make(
                "ServiceEntry",
                "e",
                "{hosts: [b.com], ports: [{number: 9, name: h, protocol: HTTP}]}",
            )
        ],
    ),
    Case(
        "IST0135",
        'Annotation "sidecar.istio.io/inject" has been deprecated in favor of the "sidecar.istio.io/inject" '
        "label and may not work in future Istio versions.",
        [pod("p", annotations={"sidecar.istio.io/inject": "true"})],
        [pod("p", "sidecar.istio.io/inject=true", annotations={"sidecar.istio.io/inject": "true"})],
    ),
    Case(
        "IST0137",
        "This deployment web is associated with multiple services [default/a default/b] using targetPort "
        '"8080" but different ports: [80 81].',
        [
            namespace("default", istio_injection="enabled"),
            _deployment("web"),
            service("a", "[{port: 80, targetPort: 8080}]", "{app: web}"),
            service("b", "[{port: 81, targetPort: 8080}]", "{app: web}"),
        ],
        [
            _deployment("web"),
            service("a", "[{port: 80, targetPort: 8080}]", "{app: web}"),
            service("b", "[{port: 81, targetPort: 8080}]", "{app: web}"),
        ],
    ),
    Case(
        "IST0138",
        "Duplicate certificate in multiple gateways [default/a default/b] may cause 404s if clients re-use "
        "HTTP2 connections.",
        [_tls("a"), _tls("b")],
        [_tls("a"), _tls("b", "other")],
    ),
    Case(
        "IST0139",
        "Injector refers to a control plane service that does not exist: istio-system/istiod.",
        [_hooks(_hook("a", namespaceSelector=_enabled("enabled")))],
        [_hooks(_hook("a", namespaceSelector=_enabled("enabled"))), _ISTIOD],
    ),
    Case(
        "IST0139",
        "Webhook overlaps with others: [istio-sidecar-injector/b.istio.io]. This may cause injection to "
        "occur twice.",
        [
            _ISTIOD,
            _hooks(
                _hook("a", namespaceSelector=_enabled("enabled")),
                _hook("b", namespaceSelector=_enabled("enabled")),
            ),
        ],
        [
            _ISTIOD,
            _hooks(
                _hook("a", namespaceSelector=_enabled("enabled")),
                _hook("b", namespaceSelector=_enabled("disabled")),
            ),
        ],
    ),
    Case(
        "IST0140",
        "Subset in virtual service default/mesh has no effect on ingress gateway default/ingress requests",
        [
            route("mesh", "{host: reviews, subset: v1}"),
            route("ingress", "{host: reviews}", ", gateways: [gw]"),
        ],
        [
            route("mesh", "{host: reviews, subset: v1}"),
            route("ingress", "{host: reviews, subset: v1}", ", gateways: [gw]"),
        ],
    ),
    Case(
        "IST0144",
        "User ID (UID) 1337 is reserved for the sidecar proxy.",
        [_deployment("web", "{containers: [{name: app, securityContext: {runAsUser: 1337}}]}")],
        [
            _deployment(
                "web", "{containers: [{name: istio-proxy, securityContext: {runAsUser: 1337}}]}"
            )
        ],
    ),
    Case(
        "IST0145",
        "Conflict with gateways default/b (workload selector istio=ingressgateway, port 80, hosts a.com).",
        [gateway("a", _HTTP), gateway("b", _HTTP)],
        [gateway("a", _HTTP), gateway("b", _HTTP.replace("a.com", "b.com"))],
    ),
    Case(
        "IST0146",
        "Deployment gw contains `image: auto` but does not match any Istio injection webhook selectors.",
        [
            namespace("default"),
            _deployment("gw", "{containers: [{name: istio-proxy, image: auto}]}"),
            _hooks(_hook("a", namespaceSelector=_enabled("enabled"))),
        ],
        [
            namespace("default", istio_injection="enabled"),
            _deployment("gw", "{containers: [{name: istio-proxy, image: auto}]}"),
            _hooks(_hook("a", namespaceSelector=_enabled("enabled"))),
        ],
    ),
    Case(
        "IST0147",
        "Pod gw contains `image: auto` but does not match any Istio injection webhook selectors.",
        [make("Pod", "gw", "containers: [{name: istio-proxy, image: auto}]")],
        [pod("gw")],
    ),
    Case(
        "IST0148",
        "is enabled for Istio injection, as Istio is installed with enableNamespacesByDefault as true.",
        [namespace("shop"), _injector(sidecarInjectorWebhook={"enableNamespacesByDefault": True})],
        [namespace("shop"), _injector(sidecarInjectorWebhook={"enableNamespacesByDefault": False})],
    ),
    Case(
        "IST0149",
        _CLAIM_TEXT,
        [_CLAIM, gateway("gw", _HTTP), _INGRESS],
        [
            _CLAIM,
            gateway("gw", _HTTP),
            _INGRESS,
            make(
                "RequestAuthentication",
                "istio-system/jwt",
                "selector: {matchLabels: {istio: ingressgateway}}",
            ),
        ],
    ),
    Case(
        "IST0150",
        "Port name for ExternalName service is invalid. Proxy may prevent tcp named ports and unmatched "
        "traffic for ports serving TCP protocol from being forwarded correctly",
        [make("Service", "s", "{type: ExternalName, ports: [{name: tcp, port: 9}]}")],
        [make("Service", "s", "{type: ExternalName, ports: [{name: tls, port: 9}]}")],
    ),
    Case(
        "IST0151",
        "This EnvoyFilter does not have a priority and has a relative patch operation set which can cause "
        "the EnvoyFilter not to be applied. Using the INSERT_FIRST of ADD option or setting the priority "
        "may help in ensuring the EnvoyFilter is applied correctly.",
        [_filter("{applyTo: HTTP_FILTER, patch: {operation: INSERT_BEFORE, value: {name: lua}}}")],
        [
            _filter(
                "{applyTo: HTTP_FILTER, patch: {operation: INSERT_BEFORE, value: {name: lua}}}",
                ", priority: 1",
            )
        ],
    ),
    Case(
        "IST0152",
        "The REPLACE operation is only valid for HTTP_FILTER and NETWORK_FILTER.",
        [_filter("{applyTo: CLUSTER, patch: {operation: REPLACE}}")],
        [_filter("{applyTo: NETWORK_FILTER, patch: {operation: REPLACE}}")],
    ),
    Case(
        "IST0153",
        "The ADD operation will be ignored when applyTo is set to ROUTE_CONFIGURATION, or HTTP_ROUTE.",
        [_filter("{applyTo: HTTP_ROUTE, patch: {operation: ADD}}")],
        [_filter("{applyTo: CLUSTER, patch: {operation: ADD}}")],
    ),
    Case(
        "IST0154",
        "The REMOVE operation will be ignored when applyTo is set to ROUTE_CONFIGURATION, or HTTP_ROUTE.",
        [_filter("{applyTo: ROUTE_CONFIGURATION, patch: {operation: REMOVE}}")],
        [_filter("{applyTo: CLUSTER, patch: {operation: REMOVE}}")],
    ),
    Case(
        "IST0155",
        "This EnvoyFilter does not have a priority and has a relative patch operation "
        "(NSTERT_BEFORE/AFTER, REPLACE, MERGE, DELETE) and proxyVersion set which can cause the "
        "EnvoyFilter not to be applied during an upgrade. Using the INSERT_FIRST or ADD option or setting "
        "the priority may help in ensuring the EnvoyFilter is applied correctly.",
        [
            _filter(
                "{applyTo: HTTP_FILTER, match: {proxy: {proxyVersion: 1.3}}, patch: {operation: "
                "INSERT_AFTER, value: {name: lua}}}, "
                "{applyTo: HTTP_FILTER, patch: {operation: INSERT_AFTER, value: {name: lua}}}"
            )
        ],
        [_filter("{applyTo: HTTP_FILTER, patch: {operation: INSERT_AFTER, value: {name: lua}}}")],
    ),
    Case(
        "IST0157",
        'The Telemetry t in namespace "default" with empty providers will be ignored.',
        [_telemetry("t", "accessLogging: [{}]")],
        [_telemetry("t", "accessLogging: [{providers: [{name: envoy}]}, {disabled: true}]")],
    ),
    Case(
        "IST0158",
        "The Istio proxy images of the pods running in the namespace do not match the image defined in "
        "the injection configuration (pod names: [p]). This often happens after upgrading the Istio "
        "control-plane and can be fixed by redeploying the pods.",
        [
            namespace("default", istio_injection="enabled"),
            pod("p"),
            _injector(**{"global": {"hub": "hub", "tag": "2", "proxy": {"image": "proxyv2"}}}),
        ],
        [
            namespace("default", istio_injection="enabled"),
            make("Pod", "p", "containers: [{name: istio-proxy, image: my/proxyv2-distroless}]"),
            _injector(**{"global": {"proxy": {"image": "my/proxyv2"}}}),
        ],
    ),
    Case(
        "IST0159",
        'The Telemetries [a b] in namespace "default" select the same workload pod "web-1", which can '
        "lead to undefined behavior.",
        [pod("web-1", "app=web"), _telemetry("a", _WEB_TELEMETRY), _telemetry("b", _WEB_TELEMETRY)],
        [pod("web-1", "app=web"), _telemetry("a", _WEB_TELEMETRY), _telemetry("b")],
    ),
    Case(
        "IST0160",
        'The Telemetries [a b] in namespace "default" have no workload selector, which can lead to '
        "undefined behavior.",
        [_telemetry("a"), _telemetry("b")],
        [_telemetry("a"), _telemetry("other/b")],
    ),
    Case(
        "IST0161",
        "The credential referenced by the Gateway gw in namespace istio-system is invalid, which can cause "
        "the traffic not to work as expected.",
        [_tls("gw"), _INGRESS, _secret(b"no certificate")],
        [_tls("gw"), _INGRESS, _secret(certificate())],
    ),
    Case(
        "IST0162",
        "The gateway is listening on a target port (port 81) that is not defined in the Service associated "
        "with its workload instances (Pod selector istio=ingressgateway). If you need to access the gateway "
        "port through the gateway Service, it will not be available.",
        [gateway("gw", _HTTP.replace("80", "81")), _INGRESS, _INGRESS_SERVICE],
        [gateway("gw", _HTTP.replace("80", "8080")), _INGRESS, _INGRESS_SERVICE],
    ),
    Case(
        "IST0163",
        "The hostname () that was provided for the webhook (h) to reach the ingress gateway on the external "
        "control plane cluster is blank. Traffic may not flow properly.",
        [
            make(
                "ValidatingWebhookConfiguration",
                "istio-validator",
                webhooks=[{"name": "h", "clientConfig": {}}],
            )
        ],
        [make("ValidatingWebhookConfiguration", "istio-validator", webhooks=[_hook("h")])],
    ),
    Case(
        "IST0164",
        "The address (https://10.0.0.1/inject) that was provided for the webhook (h) to reach the ingress "
        "gateway on the external control plane cluster is an IP address. This is not recommended for a "
        "production environment.",
        [_hooks({"name": "h", "clientConfig": {"url": "https://10.0.0.1/inject"}})],
        [_hooks({"name": "h", "clientConfig": {"url": "https://istiod.example.com/inject"}})],
    ),
    Case(
        "IST0165",
        "Gateway reference in VirtualService default/vs is to an implementation-generated internal Gateway: "
        "default/gw~istio-autogenerated-k8s-gateway~http.",
        [
            route(
                "vs",
                "{host: reviews}",
                ", gateways: ['default/gw~istio-autogenerated-k8s-gateway~http']",
            )
        ],
        [route("vs", "{host: reviews}", ", gateways: [gw]")],
    ),
    Case(
        "IST0166",
        "Ineffective selector on Kubernetes Gateway bookinfo. Use the TargetRef field instead.",
        [
            pod("gw", "gateway.networking.k8s.io/gateway-name=bookinfo,a=b"),
            make("AuthorizationPolicy", "p", "selector: {matchLabels: {a: b}}"),
        ],
        [
            pod("gw", "gateway.networking.k8s.io/gateway-name=bookinfo,a=b"),
            make("AuthorizationPolicy", "p", "targetRef: {kind: Gateway, name: bookinfo}"),
        ],
    ),
    Case(
        "IST0167",
        "The policy has no impact: namespace is in ambient mode, the policy has no impact.",
        [
            make("Namespace", "default", labels={"istio.io/dataplane-mode": "ambient"}),
            _sidecar("a"),
        ],
        [namespace("default", istio_injection="enabled"), _sidecar("a")],
    ),
    Case(
        "IST0171",
        "A condition with a negative status is present: type=Accepted, reason=NoMatchingParent, "
        "message=no parent.",
        [make("HTTPRoute", "r", status={"parents": [{"conditions": [_CONDITION]}]})],
        [
            make(
                "HTTPRoute",
                "r",
                status={"parents": [{"conditions": [{**_CONDITION, "status": "True"}]}]},
            )
        ],
    ),
    Case(
        "IST0173",
        "The Subset v1 defined in the DestinationRule does not select any pods. Which may lead to 503 UH "
        "(NoHealthyUpstream).",
        [_REVIEWS, make("DestinationRule", "r", _SUBSETS), pod("p", "version=v2")],
        [_REVIEWS, make("DestinationRule", "r", _SUBSETS), pod("p", "version=v1")],
    ),
    Case(
        "IST0174",
        "The host reviews defined in the DestinationRule does not match any services in the mesh.",
        [make("DestinationRule", "r", _SUBSETS)],
        [make("DestinationRule", "r", _SUBSETS), _REVIEWS],
    ),
    Case(
        "IST0175",
        "BLOCKED_CIDRS_IN_JWKS_URIS is not configured but 1 RequestAuthentication resource(s) exist "
        "(default/jwt). Consider configuring it to restrict JWKS URI fetches to trusted networks.",
        [
            make("RequestAuthentication", "jwt"),
            _deployment("istio-system/istiod", labels="{}")
            | {
                "metadata": {
                    "name": "istiod",
                    "namespace": "istio-system",
                    "labels": {"app": "istiod"},
                }
            },
        ],
        [
            _deployment("istio-system/istiod", labels="{}")
            | {
                "metadata": {
                    "name": "istiod",
                    "namespace": "istio-system",
                    "labels": {"app": "istiod"},
                }
            }
        ],
    ),
    Case(
        "IST0176",
        'Gateway API CRD "tlsroutes.gateway.networking.k8s.io" is at version "1.4.0" but Istio requires at '
        'least "1.5.0"; resources of this kind will not be processed. Upgrade the Gateway API CRDs to '
        "satisfy the minimum version.",
        [
            make(
                "CustomResourceDefinition",
                "tlsroutes.gateway.networking.k8s.io",
                annotations={"gateway.networking.k8s.io/bundle-version": "v1.4.0"},
            )
        ],
        [
            make(
                "CustomResourceDefinition",
                "tlsroutes.gateway.networking.k8s.io",
                annotations={"gateway.networking.k8s.io/bundle-version": "v1.5.0-rc.1"},
            )
        ],
    ),
]
