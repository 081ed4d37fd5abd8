"""Manifests of older workshops: ``v1alpha3`` still applies and does what it says; what went is refused."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from meshcourse import course, paths
from meshcourse.embedded.daemon import launcher
from meshcourse.observe.result import Result

pytestmark = pytest.mark.timeout(240)
NAME, NAMESPACE = "old-manifests", "boutique"
#: What a page's footer says about who made it.
MADE_BY = r'class="pod">(frontend-v2|frontend)-'
NETWORKING = ("virtualservices.networking.istio.io", "destinationrules.networking.istio.io")

VISITORS = """
apiVersion: networking.istio.io/v1alpha3
kind: Gateway
metadata: {name: frontend-gateway}
spec:
  selector: {istio: ingressgateway}
  servers:
  - port: {number: 80, name: http, protocol: HTTP}
    hosts: [old.example.com]
---
apiVersion: networking.istio.io/v1alpha3
kind: DestinationRule
metadata: {name: frontend}
spec:
  host: frontend.boutique.svc.cluster.local
  subsets:
  - name: v1
    labels: {version: v1}
  - name: v2
    labels: {version: v2}
---
apiVersion: networking.istio.io/v1alpha3
kind: VirtualService
metadata: {name: frontend-ingress}
spec:
  hosts: [old.example.com]
  gateways: [frontend-gateway]
  http:
  - route:
    - destination: {host: frontend, port: {number: 80}, subset: v1}
      weight: 80
    - destination: {host: frontend, port: {number: 80}, subset: v2}
      weight: 20
"""
RETRIED = """
apiVersion: networking.istio.io/v1alpha3
kind: VirtualService
metadata: {name: shippingservice}
spec:
  hosts: [shippingservice]
  http:
  - route:
    - destination: {host: shippingservice}
    retries: {attempts: 3, perTryTimeout: 3s, retryOn: 5xx}
"""
SLOW = """
apiVersion: networking.istio.io/v1alpha3
kind: VirtualService
metadata: {name: recommendationservice}
spec:
  hosts: [recommendationservice]
  http:
  - fault:
      delay:
        percentage: {value: 100}
        fixedDelay: 0.7s
    route:
    - destination: {host: recommendationservice}
"""


@pytest.fixture(scope="module")
def mesh() -> Iterator[course.Mesh]:
    found = course.open(NAME)
    try:
        found.ensure("istio", "boutique")
        found.apply(paths.home() / "labs/apps/boutique/frontend-v2.yaml", NAMESPACE)
        found.wait(namespace=NAMESPACE)
        yield found
    finally:
        found.close()
        launcher.down(NAME, delete=True)


@pytest.fixture(autouse=True)
def _clean(mesh: course.Mesh) -> Iterator[None]:
    """No rule of one test reaches the next."""
    yield
    for kind in NETWORKING:
        rules = mesh.objects(kind, NAMESPACE)
        mesh.delete([rule for rule in rules if rule["metadata"]["name"] != "boutique"])


def visit(mesh: course.Mesh, n: int, path: str = "/") -> Result:
    return mesh.traffic(path, host="old.example.com", n=n, rate=50, classified=MADE_BY)


def until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.05)


def product(mesh: course.Mesh) -> float:
    """Seconds for a product's page, which asks for recommendations."""
    result = mesh.traffic(
        "/product/OLJCESPC7Z", host="boutique.example.com", n=1, rate=0, classified=None
    )
    assert result.failed == 0, result
    return result.samples[0].latency


def test_gateway_and_weights(mesh: course.Mesh) -> None:
    mesh.apply(VISITORS, NAMESPACE).raise_on_error()
    until(lambda: visit(mesh, 20).statuses == {200: 20})
    result = visit(mesh, 500)
    assert result.failed == 0, result
    verdict = result.consistent_with({"frontend": 80, "frontend-v2": 20}, confidence=0.99999)
    assert verdict.ok, verdict
    assert not result.consistent_with(
        {"frontend": 40, "frontend-v2": 60}
    ).ok  # the judgement can fail


def test_what_is_written_as_v1alpha3_is_read_as_v1(mesh: course.Mesh) -> None:
    mesh.apply(VISITORS, NAMESPACE).raise_on_error()
    path = "/apis/networking.istio.io/{}/namespaces/boutique/virtualservices/frontend-ingress"
    old, new = mesh.api.get(path.format("v1alpha3")), mesh.api.get(path.format("v1"))
    assert (old["apiVersion"], new["apiVersion"]) == (
        "networking.istio.io/v1alpha3",
        "networking.istio.io/v1",
    )
    assert old["spec"] == new["spec"]


def test_retries_reach_the_callers_envoy(mesh: course.Mesh) -> None:
    mesh.apply(RETRIED, NAMESPACE).raise_on_error()

    def retried() -> bool:
        asked = ("proxy-config", "routes", "deploy/frontend.boutique", "--name", "50051")
        shown = mesh.istioctl(*asked, "-o", "json").check().output.replace("_", "").lower()
        wanted = ('"numretries": 3', '"pertrytimeout": "3s"', '"retryon": "5xx"')
        return all(text in shown for text in wanted)

    until(retried)


def test_a_delay_is_felt_by_those_who_ask(mesh: course.Mesh) -> None:
    before = min(product(mesh) for _ in range(3))
    mesh.apply(SLOW, NAMESPACE).raise_on_error()
    until(lambda: product(mesh) >= 0.7)
    assert before < 0.7


def test_the_integer_spelling_of_a_delays_share_works_and_is_remarked(mesh: course.Mesh) -> None:
    old = SLOW.replace("percentage: {value: 100}", "percent: 100")
    assert old != SLOW
    [row] = mesh.apply(old, NAMESPACE).raise_on_error().rows
    assert row.warnings == ('using deprecated setting "percent", use "percentage" instead',)
    until(lambda: product(mesh) >= 0.7)


@pytest.mark.parametrize(
    ("manifest", "words", "instead"),
    [
        pytest.param(
            SLOW.replace("delay", "abort").replace(
                "percentage: {value: 100}\n        fixedDelay: 0.7s",
                "percent: 100\n        httpStatus: 503",
            ),
            'unknown field "spec.http[0].fault.abort.percent"',
            "percentage: {value",
            id="percent of aborts",
        ),
        pytest.param(
            "apiVersion: authentication.istio.io/v1alpha1\nkind: MeshPolicy\nmetadata: {name: default}\n"
            "spec: {peers: [{mtls: {}}]}\n",
            'no matches for kind "MeshPolicy" in version "authentication.istio.io/v1alpha1"',
            "PeerAuthentication",
            id="MeshPolicy",
        ),
        pytest.param(
            "apiVersion: rbac.istio.io/v1alpha1\nkind: ServiceRole\nmetadata: {name: viewer}\n"
            'spec: {rules: [{services: ["*"]}]}\n',
            'no matches for kind "ServiceRole" in version "rbac.istio.io/v1alpha1"',
            "AuthorizationPolicy",
            id="ServiceRole",
        ),
        pytest.param(
            "apiVersion: extensions/v1beta1\nkind: Ingress\nmetadata: {name: frontend}\n"
            "spec: {backend: {serviceName: frontend, servicePort: 80}}\n",
            'no matches for kind "Ingress" in version "extensions/v1beta1"',
            "networking.k8s.io/v1",
            id="Ingress",
        ),
        pytest.param(
            VISITORS.replace("weight: 20", "weight: twenty"),
            "VirtualService",
            "",
            id="a weight that is no number",
        ),
    ],
)
def test_refused_with_what_replaced_it(
    mesh: course.Mesh, manifest: str, words: str, instead: str
) -> None:
    [error] = mesh.apply(manifest, NAMESPACE).errors
    assert words in f"{error.message}"
    assert instead in error.remedy


def test_an_old_field_that_still_applies_is_warned_about(mesh: course.Mesh) -> None:
    """``consecutiveErrors`` in the words of Istio's own webhook."""
    [row] = (
        mesh.apply(
            "apiVersion: networking.istio.io/v1alpha3\nkind: DestinationRule\nmetadata: {name: redis-cart}\n"
            "spec: {host: redis-cart, trafficPolicy: {outlierDetection: {consecutiveErrors: 1, interval: 1s}}}\n",
            NAMESPACE,
        )
        .raise_on_error()
        .rows
    )
    assert any(
        "use consecutiveGatewayErrors or consecutive5xxErrors" in text for text in row.warnings
    )
