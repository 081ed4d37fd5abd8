"""The live views in a real JupyterLab, driven by a real browser. Screenshots stay in ``build/screenshots``."""

from __future__ import annotations

import http.server
import re
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.browser import jupyter

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]
CELL = """
from IPython.display import display
from meshcourse.observe.kiali import Edge, Graph, Node
from meshcourse.observe.steady import Steady
from meshcourse.observe.traffic import Plan
from meshcourse.widgets import service_graph
from meshcourse.widgets.live.picking import Picking
from meshcourse.widgets.live.traffic import TrafficPanel

version = lambda status, headers, body: headers.get("x-version", "")
panel = TrafficPanel(Steady(Plan(url={url!r}, n=1, rate=20, classify=version)))
web, db = Node("1", "app", "web", "v1"), Node("2", "app", "db", "v1")
graph = Graph(30.0, (web, db), (Edge(web, db, "http", 4.0, codes={{"200": 100.0}}),))
display(panel, Picking(lambda: service_graph.draw(graph)))
"""


class Answers(http.server.BaseHTTPRequestHandler):
    """200 by v1, to jason by v2, every fifth time 503; at /teapot 418."""

    count = 0

    def do_GET(self) -> None:
        Answers.count += 1
        teapot = self.path == "/teapot"
        self.send_response(418 if teapot else 503 if Answers.count % 5 == 0 else 200)
        self.send_header("x-version", "v2" if self.headers["end-user"] == "jason" else "v1")
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def answers() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def lab(tmp_path: Path, answers: str) -> Iterator[str]:
    """JupyterLab with one notebook; its URL."""
    with jupyter.serving(tmp_path, CELL.format(url=answers)) as url:
        yield url


def said(page: Any) -> str:
    return str(page.locator(".mesh-body").first.inner_text())


def sent(page: Any) -> int:
    """How many requests the panel says were sent."""
    found = re.search(r"(\d+) requests in", said(page))
    return int(found[1]) if found else 0


def control(page: Any, name: str) -> Any:
    return page.locator(f'.mesh-view [data-name="{name}"]')


def put(page: Any, name: str, value: str) -> None:
    """Move a slider, or write a line and leave it."""
    control(page, name).fill(value)
    control(page, name).dispatch_event("change")


def rate(page: Any) -> float:
    before, began = sent(page), time.monotonic()
    time.sleep(2)
    return (sent(page) - before) / (time.monotonic() - began)


@pytest.fixture
def page(lab: str) -> Iterator[Any]:
    """The notebook, its cell executed."""
    sync_api = pytest.importorskip("playwright.sync_api")
    chromium = shutil.which("chromium") or pytest.skip("there is no Chromium")
    jupyter.SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        found = browser.new_page(viewport={"width": 1250, "height": 1000})
        jupyter.run_first_cell(found, lab)
        control(found, "start").wait_for(timeout=60_000)
        yield found
        browser.close()


def nothing_comes() -> bool:
    """Whether a second goes by without a request (those under way when Stop was pressed have come by then)."""
    before = Answers.count
    time.sleep(1)
    return Answers.count == before


def test_the_controls_do_what_they_say(page: Any) -> None:
    assert "no requests yet" in said(page)
    control(page, "start").click()
    jupyter.until(lambda: sent(page) >= 20, 20)
    assert not control(page, "start").is_enabled()
    slow = rate(page)
    put(page, "rate", "120")
    jupyter.until(lambda: "120" in page.locator(".mesh-control output").first.inner_text(), 10)
    assert rate(page) > 2 * slow
    assert "by response code:" in said(page)
    assert {"v1", "503"} <= set(page.locator(".mesh-body svg text").all_text_contents())
    page.locator(".mesh-view").first.screenshot(path=str(jupyter.SCREENSHOTS / "traffic-panel.png"))
    page.screenshot(path=str(jupyter.SCREENSHOTS / "jupyterlab.png"))

    put(page, "headers", "end-user: jason")
    control(page, "forget").click()
    jupyter.until(lambda: "v2" in page.locator(".mesh-body svg text").all_text_contents(), 20)
    put(page, "headers", "jason")
    jupyter.until(lambda: "is not a header" in said(page), 10)
    put(page, "path", "/teapot")
    jupyter.until(lambda: "HTTP 418" in said(page), 20)

    control(page, "stop").click()
    jupyter.until(control(page, "start").is_enabled, 10)
    jupyter.until(nothing_comes, 20)
    put(page, "seconds", "10")
    jupyter.until(lambda: "10 s" in page.locator(".mesh-control output").nth(1).inner_text(), 10)
    click_the_graph(page)


def click_the_graph(page: Any) -> None:
    """A node's details come with a click, an edge's with another, and none with the same again."""
    graph = page.locator(".mesh-view").nth(1)
    graph.locator('[data-pick="db v1"]').click()
    jupyter.until(lambda: "from web v1" in graph.inner_text(), 10)
    graph.locator('[data-pick="web v1 → db v1"] text').last.click()
    jupyter.until(lambda: "200: 100.0 %" in graph.inner_text(), 10)
    graph.screenshot(path=str(jupyter.SCREENSHOTS / "graph-details.png"))
    graph.locator('[data-pick="web v1 → db v1"] text').last.click()
    jupyter.until(lambda: "200: 100.0 %" not in graph.inner_text(), 10)
