"""The add-ons' pages behind the ingress gateway, below paths, in a real browser: complete, and never silently empty.

Screenshots stay in ``build/screenshots``. Prometheus is the course's own here: the real one's page is not ours to test.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import pytest

from meshcourse import course
from meshcourse.embedded.daemon import launcher
from tests.integration import standin
from tests.integration.browser import jupyter

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
NAME = "pages-tests"
ROUTES = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: addons, namespace: istio-system}
spec:
  hosts: ["*"]
  gateways: [default/bookinfo-gateway]
  http:
  - match: [{uri: {prefix: /kiali}}]
    route: [{destination: {host: kiali, port: {number: 20001}}}]
  - match: [{uri: {prefix: /jaeger}}]
    route: [{destination: {host: tracing, port: {number: 80}}}]
  - match: [{uri: {prefix: /grafana}}]
    route: [{destination: {host: grafana, port: {number: 3000}}}]
  - match: [{uri: {prefix: /prometheus/}}]
    rewrite: {uri: /}
    route: [{destination: {host: prometheus, port: {number: 9090}}}]
  - match: [{uri: {prefix: /logs/}}]
    rewrite: {uri: /}
    route: [{destination: {host: fluent-bit, port: {number: 2020}}}]
"""
TRACING = """
apiVersion: telemetry.istio.io/v1
kind: Telemetry
metadata: {name: tracing, namespace: istio-system}
spec: {tracing: [{providers: [{name: jaeger}], randomSamplingPercentage: 100}]}
"""
GRAPH = "/kiali/console/graph/namespaces?namespaces=default"
RATE = "/prometheus/graph?query=sum(rate(istio_requests_total[1m]))by(destination_workload)"
SERVICE = "/grafana/d/service/service?var-service=reviews.default.svc.cluster.local"
#: Page → what it says as long as there is nothing to see.
EMPTY = {
    "/grafana/d/service/service": "send some traffic",
    "/jaeger/search": "Tracing may be off",
    GRAPH: "No traffic in the last",
    "/prometheus/": "targets are scraped",
    "/prometheus/graph?query=istio_requests_total{response_code='599'}": "No data now",
    "/logs/": "No log lines yet",
}
#: Screenshot → page → a selector of something that is there with traffic only.
FULL = {
    "grafana-mesh": ("/grafana/d/mesh/mesh", ".panel table td:has-text('reviews-v1')"),
    "grafana-service": (SERVICE, ".panel svg polyline"),
    "jaeger": ("/jaeger/search", ".trace"),
    "kiali": (GRAPH, "#svg :text('reviews')"),
    "prometheus": (RATE, "#graph polyline"),
}


@pytest.fixture(scope="module")
def mesh() -> Iterator[course.Mesh]:
    if not shutil.which("chromium"):
        pytest.skip("there is no Chromium")
    pytest.importorskip("playwright.sync_api")
    found = course.open(NAME)
    try:
        found.ensure("bookinfo", "grafana", "jaeger", "kiali", "fluent-bit")
        standin.prometheus(found)
        found.apply(ROUTES).raise_on_error()
        yield found
    finally:
        found.close()
        launcher.down(NAME, delete=True)


@pytest.fixture(scope="module")
def browser(mesh: course.Mesh) -> Iterator[Any]:
    from playwright import sync_api

    jupyter.SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    with sync_api.sync_playwright() as playwright:
        chromium = shutil.which("chromium")
        found = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield found
        found.close()


class Visit:
    """A page, and everything that went wrong while it was open."""

    def __init__(self, browser: Any, mesh: course.Mesh, path: str) -> None:
        self.page = browser.new_page(viewport={"width": 1300, "height": 900})
        self.base = str(mesh.link("/")).rstrip("/")
        self.wrong: list[str] = []
        self.page.on("pageerror", lambda error: self.wrong.append(f"script: {error}"))
        self.page.on("requestfailed", lambda request: self.wrong.append(f"failed: {request.url}"))
        self.page.on("response", self._answered)
        self.page.goto(self.base + path)

    def _answered(self, response: Any) -> None:
        if response.status >= 400:
            self.wrong.append(f"{response.status}: {response.url}")
        if not response.url.startswith((self.base, "data:")):
            self.wrong.append(f"from elsewhere: {response.url}")

    def close(self) -> None:
        """Leave, and see that nothing went wrong."""
        found = list(self.wrong)  # requests that leaving interrupts do not count
        self.page.close()
        assert found == []


def test_empty_pages_say_why(browser: Any, mesh: course.Mesh) -> None:
    for path, words in EMPTY.items():
        visit = Visit(browser, mesh, path)
        visit.page.get_by_text(words).first.wait_for(timeout=30_000)
        visit.close()


def test_pages_show_traffic_below_their_paths(browser: Any, mesh: course.Mesh) -> None:
    mesh.apply(TRACING).raise_on_error()
    run = mesh.start_traffic("/productpage", seconds=300, rate=20)
    with run:
        for name, (path, selector) in FULL.items():
            visit = Visit(browser, mesh, path)
            for _ in range(15):  # some pages look by themselves, others once
                try:
                    visit.page.locator(selector).first.wait_for(timeout=3_000, state="attached")
                    break
                except Exception as error:
                    if type(error).__name__ != "TimeoutError":
                        raise
                    visit.page.reload()
            assert visit.page.locator(selector).count(), name
            visit.page.wait_for_timeout(300)
            visit.page.screenshot(path=str(jupyter.SCREENSHOTS / f"{name}.png"))
            visit.close()
    mesh.delete(TRACING)
