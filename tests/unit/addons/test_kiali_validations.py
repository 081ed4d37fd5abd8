"""Every code: a mesh that has it, and one that only nearly has."""

from __future__ import annotations

import pytest

from meshcourse.embedded.addons.kiali import validations
from meshcourse.embedded.addons.kiali.validations.codes import CODES
from tests.unit.addons.kiali_mesh import mesh

_VS = "kind: VirtualService\nmetadata: {name: %s}\nspec: {%s}\n---\n"
_DR = "kind: DestinationRule\nmetadata: {name: %s}\nspec: {%s}\n---\n"
_PA = "kind: PeerAuthentication\nmetadata: {name: %s, namespace: %s}\nspec: {%s}\n---\n"
_GW = (
    "kind: Gateway\nmetadata: {name: %s}\nspec: {selector: {istio: %s}, servers: "
    "[{port: {number: %d, name: %s, protocol: HTTP}, hosts: [%s]}]}\n---\n"
)
_AP = "kind: AuthorizationPolicy\nmetadata: {name: policy}\nspec: {rules: [{%s}]}\n---\n"
_SVC = "kind: Service\nmetadata: {name: details}\nspec: {selector: {app: details}, ports: [{%s}]}\n---\n"
MANUAL = "{enableAutoMtls: false, outboundTrafficPolicy: {mode: REGISTRY_ONLY}}"
AUTOMATIC = "outboundTrafficPolicy: {mode: REGISTRY_ONLY}"
ANY = "{}"


def route(*shares: str) -> str:
    return f"hosts: [reviews], http: [{{route: [{', '.join(shares)}]}}]"


def share(host: str, subset: str = "", weight: int = 0) -> str:
    extra = f", subset: {subset}" if subset else ""
    return f"{{destination: {{host: {host}{extra}}}" + (f", weight: {weight}}}" if weight else "}")


def tls(name: str, host: str, mode: str) -> str:
    return _DR % (name, f'host: "{host}", trafficPolicy: {{tls: {{mode: {mode}}}}}')


V1 = _DR % ("reviews", "host: reviews, subsets: [{name: v1, labels: {version: v1}}]")
WHOLE = "*.default.svc.cluster.local"

#: Code, path, objects with the fault, the same without it, mesh configuration.
CASES = [
    ("KIA1101", "spec/http[0]/route[0]/destination/host",
     _VS % ("v", route(share("nowhere"))), _VS % ("v", route(share("reviews"))), AUTOMATIC),
    ("KIA1101", "spec/http[0]/route[0]/destination/host",
     _VS % ("v", route(share("reviews.empty"))),
     _VS % ("v", route(share("reviews.default.svc.cluster.local"))), AUTOMATIC),
    ("KIA1102", "spec/gateways[0]", _VS % ("v", "hosts: [a], gateways: [front]"),
     _VS % ("v", "hosts: [a], gateways: [front]") + _GW % ("front", "ingressgateway", 80, "http", "a"),
     AUTOMATIC),
    ("KIA1102", "spec/gateways[0]", _VS % ("v", "hosts: [a], gateways: [other/front]"),
     _VS % ("v", "hosts: [a], gateways: [mesh]"), AUTOMATIC),
    ("KIA1104", "spec/http[0]/route[0]/weight", _VS % ("v", route(share("reviews", weight=40))),
     _VS % ("v", route(share("reviews", weight=100))), AUTOMATIC),
    ("KIA1105", "spec/http[0]/route[1]/host",
     V1 + _VS % ("v", route(share("reviews", "v1", 50), share("reviews", "v1", 50))),
     V1 + _VS % ("v", route(share("reviews", "v1", 50), share("details", "", 50))), AUTOMATIC),
    ("KIA1106", "spec/hosts", _VS % ("one", "hosts: [reviews]") + _VS % ("two", "hosts: [reviews.default]"),
     _VS % ("one", "hosts: [reviews]") + _VS % ("two", "hosts: [details]"), AUTOMATIC),
    ("KIA1107", "spec/http[0]/route[0]/destination", V1 + _VS % ("v", route(share("reviews", "v9"))),
     V1 + _VS % ("v", route(share("reviews", "v1"))), AUTOMATIC),
    ("KIA1108", "spec/gateways[0]",
     _GW % ("front", "ingressgateway", 80, "http", "a")
     + _VS % ("v", "hosts: [a], gateways: [front.default.svc.cluster.local]"),
     _GW % ("front", "ingressgateway", 80, "http", "a")
     + _VS % ("v", "hosts: [a], gateways: [default/front]"), AUTOMATIC),
    ("KIA0201", "spec/host", V1 + _DR % ("again", "host: reviews"), V1 + _DR % ("again", "host: details"),
     AUTOMATIC),
    ("KIA0202", "spec/host", _DR % ("d", "host: nowhere"), _DR % ("d", "host: details"), AUTOMATIC),
    ("KIA0203", "spec/subsets[0]",
     _DR % ("d", "host: reviews, subsets: [{name: v9, labels: {version: v9}}]"), V1, AUTOMATIC),
    ("KIA0209", "spec/subsets[0]", _DR % ("d", "host: reviews, subsets: [{name: v1}]"), V1, AUTOMATIC),
    ("KIA0204", "spec/trafficPolicy", tls("d", WHOLE, "ISTIO_MUTUAL") + _DR % ("own", "host: reviews"),
     tls("d", WHOLE, "ISTIO_MUTUAL") + tls("own", "reviews", "ISTIO_MUTUAL"), AUTOMATIC),
    ("KIA0204", "spec/trafficPolicy", tls("d", "*.local", "ISTIO_MUTUAL") + _DR % ("own", "host: x.org"),
     tls("d", "*.local", "DISABLE") + _DR % ("own", "host: x.org"), AUTOMATIC),
    ("KIA0205", "spec/trafficPolicy/tls/mode", tls("d", "*.local", "ISTIO_MUTUAL"),
     tls("d", "*.local", "ISTIO_MUTUAL") + _PA % ("p", "istio-system", "mtls: {mode: STRICT}"), MANUAL),
    ("KIA0206", "spec/trafficPolicy/tls/mode", tls("d", WHOLE, "ISTIO_MUTUAL"),
     tls("d", WHOLE, "ISTIO_MUTUAL") + _PA % ("p", "default", "mtls: {mode: PERMISSIVE}"), MANUAL),
    ("KIA0207", "spec/trafficPolicy/tls/mode",
     tls("d", WHOLE, "DISABLE") + _PA % ("p", "default", "mtls: {mode: STRICT}"),
     tls("d", WHOLE, "DISABLE") + _PA % ("p", "default", "mtls: {mode: PERMISSIVE}"), AUTOMATIC),
    ("KIA0208", "spec/trafficPolicy/tls/mode",
     tls("d", "*.local", "DISABLE") + _PA % ("p", "istio-system", "mtls: {mode: STRICT}"),
     tls("d", "*.local", "DISABLE") + _PA % ("p", "istio-system", "mtls: {mode: PERMISSIVE}"), AUTOMATIC),
    ("KIA0208", "spec/trafficPolicy/tls/mode",
     tls("d", WHOLE, "DISABLE") + _PA % ("p", "istio-system", "mtls: {mode: STRICT}"),
     tls("d", WHOLE, "DISABLE") + _PA % ("p", "istio-system", "mtls: {mode: STRICT}")
     + _PA % ("own", "default", "mtls: {mode: DISABLE}"), AUTOMATIC),
    ("KIA0401", "spec/mtls", _PA % ("p", "istio-system", "mtls: {mode: STRICT}"),
     _PA % ("p", "istio-system", "mtls: {mode: STRICT}") + tls("d", "*.local", "ISTIO_MUTUAL"), MANUAL),
    ("KIA0501", "spec/mtls", _PA % ("p", "default", "mtls: {mode: STRICT}"),
     _PA % ("p", "default", "mtls: {mode: STRICT}") + tls("d", WHOLE, "ISTIO_MUTUAL"), MANUAL),
    ("KIA0505", "spec/mtls", _PA % ("p", "default", "mtls: {mode: DISABLE}") + tls("d", WHOLE, "ISTIO_MUTUAL"),
     _PA % ("p", "default", "mtls: {mode: DISABLE}"), AUTOMATIC),
    ("KIA0506", "spec/mtls",
     _PA % ("p", "istio-system", "mtls: {mode: DISABLE}") + tls("d", "*.local", "ISTIO_MUTUAL"),
     _PA % ("p", "istio-system", "mtls: {mode: DISABLE}"), AUTOMATIC),
    ("KIA0301", "spec/servers[0]/hosts[0]",
     _GW % ("a", "ingressgateway", 80, "http", '"*"') + _GW % ("b", "ingressgateway", 80, "http", "x.org"),
     _GW % ("a", "ingressgateway", 80, "http", "y.org") + _GW % ("b", "ingressgateway", 80, "http", "x.org"),
     AUTOMATIC),
    ("KIA0301", "spec/servers[0]/hosts[0]",
     _GW % ("a", "ingressgateway", 80, "http", '"*.org"') + _GW % ("b", "ingressgateway", 80, "http", "x.org"),
     _GW % ("a", "ingressgateway", 80, "http", '"*.org"') + _GW % ("b", "ingressgateway", 81, "http", "x.org"),
     AUTOMATIC),
    ("KIA0302", "spec/selector", _GW % ("a", "nobody", 80, "http", "x.org"),
     _GW % ("a", "ingressgateway", 80, "http", "x.org"), AUTOMATIC),
    ("KIA0601", "spec/servers[0]/port/name", _GW % ("a", "ingressgateway", 80, "web", "x.org"),
     _GW % ("a", "ingressgateway", 80, "http-web", "x.org"), AUTOMATIC),
    ("KIA0601", "spec/ports[0]", _SVC % "port: 9080, name: web", _SVC % "port: 9080, name: http-web", AUTOMATIC),
    ("KIA0602", "spec/ports[0]", _SVC % "port: 9080, name: a, appProtocol: web",
     _SVC % "port: 9080, name: a, appProtocol: http2", AUTOMATIC),
    ("KIA0701", "spec/ports[0]", _SVC % "port: 80, targetPort: 81, name: http",
     _SVC % "port: 80, targetPort: 9080, name: http", AUTOMATIC),
    ("KIA0101", "spec/rules[0]/from[0]/source/namespaces[0]", _AP % "from: [{source: {namespaces: [gone]}}]",
     _AP % 'from: [{source: {namespaces: ["def*"]}}]', AUTOMATIC),
    ("KIA0102", "spec/rules[0]/to[0]/operation/methods[0]", _AP % "to: [{operation: {methods: [FETCH]}}]",
     _AP % 'to: [{operation: {methods: [get, "P*", "*"]}}]', AUTOMATIC),
    ("KIA0104", "spec/rules[0]/to[0]/operation/hosts[0]", _AP % "to: [{operation: {hosts: [nowhere]}}]",
     _AP % 'to: [{operation: {hosts: [reviews, "*.org", www.x.org]}}]', AUTOMATIC),
    ("KIA0105", "spec/rules[0]/from[0]/source/namespaces",
     _AP % "from: [{source: {namespaces: [default]}}]" + _PA % ("p", "default", "mtls: {mode: DISABLE}"),
     _AP % "from: [{source: {namespaces: [default]}}]" + _PA % ("p", "default", "mtls: {mode: STRICT}"),
     AUTOMATIC),
    ("KIA0105", "spec/rules[0]/when[0]", _AP % "when: [{key: source.principal, values: [a]}]",
     _AP % "when: [{key: source.principal, values: [a]}]" + tls("d", WHOLE, "ISTIO_MUTUAL")
     + _PA % ("p", "default", "mtls: {mode: STRICT}"), MANUAL),
    ("KIA0106", "spec/rules[0]/from[0]/source/principals[0]",
     _AP % "from: [{source: {principals: [cluster.local/ns/default/sa/gone]}}]",
     _AP % "from: [{source: {principals: [cluster.local/ns/default/sa/reader]}}]", AUTOMATIC),
    ("KIA0108", "spec/rules[0]/from[0]/source/principals[0]",
     _AP % "from: [{source: {principals: [elsewhere/ns/default/sa/reader]}}]",
     _AP % 'from: [{source: {principals: ["*/sa/reader"]}}]', AUTOMATIC),
    ("KIA0002", "spec/selector", _PA % ("a", "default", "") + _PA % ("b", "default", ""),
     _PA % ("a", "default", "") + _PA % ("b", "empty", ""), AUTOMATIC),
    ("KIA0003", "spec/selector",
     _PA % ("a", "default", "selector: {matchLabels: {app: reviews}}")
     + _PA % ("b", "default", "selector: {matchLabels: {version: v1}}"),
     _PA % ("a", "default", "selector: {matchLabels: {app: reviews}}")
     + _PA % ("b", "default", "selector: {matchLabels: {app: details}}"), AUTOMATIC),
    ("KIA0004", "spec/selector/matchLabels", _PA % ("a", "default", "selector: {matchLabels: {app: gone}}"),
     _PA % ("a", "default", "selector: {matchLabels: {app: details}}"), AUTOMATIC),
]  # fmt: skip


@pytest.mark.parametrize(
    ("code", "path", "wrong", "right", "config"),
    CASES,
    ids=[f"{n}-{c[0]}" for n, c in enumerate(CASES)],
)
def test_codes(code: str, path: str, wrong: str, right: str, config: str) -> None:
    found = validations.run(mesh(wrong, config))
    assert (code, path) in {(one.code, one.path) for one in found}
    assert code not in {one.code for one in validations.run(mesh(right, config))}


def test_every_code_has_a_case() -> None:
    assert {case[0] for case in CASES} == set(CODES)


def test_bookinfo_alone_is_sound() -> None:
    assert validations.run(mesh()) == []


def test_missing_counterparts_do_not_matter_with_automatic_mutual_tls() -> None:
    strict = _PA % ("p", "istio-system", "mtls: {mode: STRICT}") + tls("d", WHOLE, "ISTIO_MUTUAL")
    assert validations.run(mesh(strict, AUTOMATIC)) == []


@pytest.mark.parametrize(
    "document", [_VS % ("v", route(share("nowhere"))), _DR % ("d", "host: nowhere")]
)
def test_unknown_hosts_are_warnings_where_they_may_be_called(document: str) -> None:
    [soft], [hard] = validations.run(mesh(document, ANY)), validations.run(mesh(document))
    assert (soft.severity, soft.valid) == ("warning", True)
    assert (hard.severity, hard.valid) == ("error", False)


def test_subsets_without_workloads_matter_when_used() -> None:
    rule = _DR % ("d", "host: reviews, subsets: [{name: v9, labels: {version: v9}}]")
    [unused] = validations.run(mesh(rule))
    used = validations.run(mesh(rule + _VS % ("v", route(share("reviews", "v9")))))
    assert (unused.severity, [one.severity for one in used]) == ("unknown", ["error"])


def test_references() -> None:
    twice = _VS % ("one", "hosts: [reviews]") + _VS % ("two", "hosts: [reviews]")
    found = {one.key.name: one.references for one in validations.run(mesh(twice))}
    assert [one.name for one in found["one"]] == ["two"]
    assert [one.name for one in found["two"]] == ["one"]
