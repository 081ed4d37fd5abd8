"""Online Boutique through the gateway: a purchase in a real browser, its trace, Kiali's graph, versions, visitors.

Screenshots stay in ``build/screenshots``.
"""

from __future__ import annotations

import http.cookiejar
import shutil
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from meshcourse import course
from meshcourse.cluster import podstate
from meshcourse.embedded.daemon import launcher
from meshcourse.lab import snapshot
from meshcourse.observe.jaeger import Trace

pytestmark = pytest.mark.timeout(240)
ROOT = Path(__file__).parents[3]
SCREENSHOTS = ROOT / "build" / "screenshots"
APPS = ROOT / "labs" / "apps" / "boutique"
NAME, HOST = "boutique-tests", "boutique.example.com"
GATEWAY = "istio-ingressgateway.istio-system"
TRACING = """
apiVersion: telemetry.istio.io/v1
kind: Telemetry
metadata: {{name: tracing, namespace: istio-system}}
spec:
  tracing:
  - providers: [{{name: {provider}}}]
    randomSamplingPercentage: 100
"""
ORDER = {
    "email": "someone@example.com", "street_address": "1 Mesh Street", "zip_code": "12345", "city": "Port Envoy",
    "state": "CA", "country": "United States", "credit_card_number": "4432-8015-6152-0454",
    "credit_card_expiration_month": "1", "credit_card_expiration_year": "2039", "credit_card_cvv": "672",
}  # fmt: skip
#: Who is called for an order, besides the gateway, the frontend and the checkout.
ASKED = ("cart", "currency", "email", "payment", "productcatalog", "shipping")


@dataclass(frozen=True, slots=True)
class Shop:
    """A mesh with the shop, and what the cluster was like before it came."""

    mesh: course.Mesh
    before: Any

    @property
    def gateway(self) -> str:
        return self.mesh.url("istio-ingressgateway", "http2", namespace="istio-system")


@pytest.fixture(scope="module")
def shop() -> Iterator[Shop]:
    mesh = course.open(NAME)
    try:
        mesh.ensure("istio", "prometheus", "jaeger", "kiali")
        before = snapshot.take(mesh)
        mesh.ensure("boutique")
        yield Shop(mesh, before)
    finally:
        mesh.close()
        launcher.down(NAME, delete=True)


def until(condition: Callable[[], Any], seconds: float = 60.0, pause: float = 0.1) -> Any:
    """What the condition gives as soon as it gives something."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "not in time"
        time.sleep(pause)
    return found


def whole_order(shop: Shop, provider: str, buy: Callable[[], None]) -> Trace:
    """Trace by a provider and buy, until the trace of an order is there with everybody in it and in one piece."""
    shop.mesh.apply(TRACING.format(provider=provider)).raise_on_error()
    began = time.time()

    def look() -> Trace | None:
        for trace in shop.mesh.jaeger.traces(GATEWAY, minutes=3.0, limit=200):
            names = " ".join(trace.services)
            everybody = all(name in names for name in (*ASKED, "checkout", "frontend"))
            if trace.start >= began and everybody and len(trace.roots) == 1:
                return trace
        return None

    def bought() -> Trace | None:
        """Envoys may not have heard of the provider yet: an order every eight seconds."""
        buy()
        deadline = time.monotonic() + 8.0
        while not (found := look()) and time.monotonic() < deadline:
            time.sleep(0.25)
        return found

    found: Trace = until(bought, 90)
    return found


def test_every_pod_is_ready_beside_its_envoy(shop: Shop) -> None:
    pods = shop.mesh.objects("pods", "boutique")
    assert len(pods) == 11
    for pod in pods:
        names = [item["name"] for item in podstate.containers(pod)]
        assert "istio-proxy" in names
        assert len(names) == 2
        assert podstate.is_ready(pod)


def test_ensuring_again_changes_nothing(shop: Shop) -> None:
    before = {pod["metadata"]["uid"] for pod in shop.mesh.objects("pods", "boutique")}
    shop.mesh.ensure("boutique")
    assert {pod["metadata"]["uid"] for pod in shop.mesh.objects("pods", "boutique")} == before


@pytest.fixture(scope="module")
def page(shop: Shop) -> Iterator[Any]:
    """A page of a browser that finds the shop's name at the gateway, as with a line in /etc/hosts."""
    sync_api = pytest.importorskip("playwright.sync_api")
    chromium = shutil.which("chromium") or pytest.skip("there is no Chromium")
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    rules = f"--host-resolver-rules=MAP {HOST} {urlsplit(shop.gateway).hostname}"
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--no-proxy-server", rules]
        )
        yield browser.new_page(viewport={"width": 1200, "height": 900})
        browser.close()


@pytest.mark.browser
def test_a_purchase_in_a_browser_is_one_trace(shop: Shop, page: Any) -> None:
    """Spans join by W3C's header: that is what Istio's OpenTelemetry provider writes and the services pass on."""
    trace = whole_order(shop, "jaeger", lambda: buy(shop, page))
    assert len(trace.services) >= 8, trace


def buy(shop: Shop, page: Any) -> None:
    """Browse, fill the basket, check out."""
    port = urlsplit(shop.gateway).port
    page.goto(f"http://{HOST}{f':{port}' if port else ''}/")
    pictures = page.locator("main img")
    assert pictures.count() >= 9
    assert pictures.first.evaluate("image => image.complete && image.naturalWidth > 0")
    page.screenshot(path=str(SCREENSHOTS / "boutique-home.png"))
    page.locator("a[href='/product/OLJCESPC7Z']").first.click()
    page.locator("#quantity").select_option("2")
    page.get_by_role("button", name="Add to basket").click()
    assert page.locator(".basket b").inner_text() == "2"
    page.screenshot(path=str(SCREENSHOTS / "boutique-basket.png"))
    page.get_by_role("button", name="Place order").click()
    assert "Your order is complete!" in page.locator("main").inner_text()
    page.screenshot(path=str(SCREENSHOTS / "boutique-order.png"))


def test_a_purchase_is_one_trace_with_b3_headers(shop: Shop) -> None:
    trace = whole_order(shop, "zipkin", lambda: order(shop))
    assert len(trace.services) >= 8, trace


def order(shop: Shop) -> None:
    """A visitor without a browser: cookies and two forms."""
    jar = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
    visitor = urllib.request.build_opener(urllib.request.ProxyHandler({}), jar)

    def post(path: str, fields: dict[str, str]) -> str:
        body = urllib.parse.urlencode(fields).encode()
        request = urllib.request.Request(shop.gateway + path, body, {"Host": HOST})
        with visitor.open(request, timeout=30) as response:
            return str(response.read().decode())

    assert "Basket" in post("/cart", {"product_id": "OLJCESPC7Z", "quantity": "2"})
    assert "Your order is complete!" in post("/cart/checkout", ORDER)


def test_the_graph_shows_who_calls_whom(shop: Shop) -> None:
    expected = [
        *(("frontend", f"{name}service") for name in ("ad", "cart", "checkout", "currency", "productcatalog")),
        *(("frontend", f"{name}service") for name in ("recommendation", "shipping")),
        *(("checkoutservice", f"{name}service") for name in ASKED),
        ("recommendationservice", "productcatalogservice"),
    ]  # fmt: skip
    shop.mesh.traffic("/product/OLJCESPC7Z", host=HOST, n=40, rate=20, classified=None)
    order(shop)

    def complete() -> bool:
        graph = shop.mesh.kiali.graph(["boutique"], seconds=180)
        calls = [graph.between(*pair) for pair in expected]
        baskets = graph.between("cartservice", "redis-cart")
        return bool(
            all(edges and edges[0].protocol == "grpc" for edges in calls)
            and baskets
            and baskets[0].protocol == "tcp"
        )

    until(complete, 60, 0.5)


@pytest.mark.browser
def test_the_second_frontend_has_another_banner(shop: Shop, page: Any) -> None:
    shop.mesh.apply(APPS / "frontend-v2.yaml", "boutique").raise_on_error()
    shop.mesh.wait("deployment/frontend-v2", namespace="boutique")
    shop.mesh.apply(APPS / "networking" / "destination-rule-frontend.yaml", "boutique")
    shop.mesh.apply(APPS / "networking" / "virtual-service-frontend-canary.yaml", "boutique")
    port = urlsplit(shop.gateway).port

    def banner() -> str:
        page.goto(f"http://{HOST}{f':{port}' if port else ''}/")
        return str(
            page.locator("header.bar").evaluate("bar => getComputedStyle(bar).backgroundColor")
        )

    page.set_extra_http_headers({"x-canary": "yes"})
    until(lambda: banner() == "rgb(122, 62, 157)", 30)
    page.screenshot(path=str(SCREENSHOTS / "boutique-v2.png"))
    page.set_extra_http_headers({})
    assert {banner() for _ in range(5)} == {banner()} != {"rgb(122, 62, 157)"}


def test_visitors_come_by_themselves(shop: Shop) -> None:
    shop.mesh.apply(APPS / "loadgenerator.yaml", "boutique").raise_on_error()
    query = (
        'sum(increase(istio_requests_total{source_app="loadgenerator", destination_app="frontend",'
        ' reporter="source", response_code="200"}[1m])) > 5'
    )
    until(lambda: len(shop.mesh.promql(query)), 90, 0.5)


def test_removed_without_trace(shop: Shop) -> None:
    shop.mesh.delete(TRACING.format(provider="jaeger"))
    shop.mesh.remove("boutique")
    assert snapshot.difference(shop.before, snapshot.take(shop.mesh)) == []
    assert [pod for pod in shop.mesh.objects("pods", "*") if "frontend" in str(pod)] == []
    shop.mesh.remove("boutique")  # what is gone can be removed again
