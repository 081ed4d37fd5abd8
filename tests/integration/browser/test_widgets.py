"""The live views in a real JupyterLab, driven by a real browser. Screenshots stay in ``build/screenshots``."""

from __future__ import annotations

import http.server
import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]
SCREENSHOTS = Path(__file__).parents[3] / "build" / "screenshots"
CELL = """
from meshcourse.observe.steady import Steady
from meshcourse.observe.traffic import Plan
from meshcourse.widgets.live.traffic import TrafficPanel
panel = TrafficPanel(Steady(Plan(url={url!r}, n=1, rate=20)))
panel
"""


class Answers(http.server.BaseHTTPRequestHandler):
    """200, and every fifth time 503."""

    count = 0

    def do_GET(self) -> None:
        Answers.count += 1
        self.send_response(503 if Answers.count % 5 == 0 else 200)
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
    cell = {
        "cell_type": "code", "id": "a", "metadata": {}, "outputs": [], "execution_count": None,
        "source": CELL.format(url=answers).strip(),
    }  # fmt: skip
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    notebook = {"cells": [cell], "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}
    (tmp_path / "panel.ipynb").write_text(json.dumps(notebook))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    token, home = secrets.token_hex(8), tmp_path / "home"
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", f"--port={port}", "--allow-root"]
    settings = [f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={tmp_path}"]
    with subprocess.Popen(
        [*command, *settings, "--ip=127.0.0.1"],
        env={**os.environ, "HOME": str(home), "JUPYTER_CONFIG_DIR": str(home / "config")},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            until(lambda: answering(f"http://127.0.0.1:{port}/api?token={token}"), 60)
            yield f"http://127.0.0.1:{port}/lab/tree/panel.ipynb?token={token}"
        finally:
            process.terminate()
            process.wait(20)


def answering(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def until(condition: Any, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.2)


def sent(page: Any) -> int:
    """How many requests the panel says were sent."""
    found = re.search(r"(\d+) requests in", page.locator(".mesh-body").inner_text())
    return int(found[1]) if found else 0


def test_traffic_is_started_made_faster_and_stopped(lab: str) -> None:
    sync_api = pytest.importorskip("playwright.sync_api")
    chromium = shutil.which("chromium") or pytest.skip("there is no Chromium")
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1200, "height": 800})
        page.goto(lab)
        page.locator(".jp-CodeCell").first.wait_for(timeout=60_000)
        page.get_by_text("| Idle").first.wait_for(
            timeout=60_000
        )  # a kernel that is not there yet runs nothing
        page.locator(".jp-CodeCell .cm-content").first.click()
        page.keyboard.press("Shift+Enter")
        start = page.locator('.mesh-view button[data-name="start"]')
        start.wait_for(timeout=60_000)
        assert "no requests yet" in page.locator(".mesh-body").inner_text()
        start.click()
        until(lambda: sent(page) >= 20, 20)
        assert not start.is_enabled()

        slow, began = sent(page), time.monotonic()
        time.sleep(2)
        slow_rate = (sent(page) - slow) / (time.monotonic() - began)
        slider = page.locator('.mesh-view input[data-name="rate"]')
        slider.fill("120")
        slider.dispatch_event("change")
        until(lambda: "120" in page.locator(".mesh-control output").inner_text(), 10)
        fast, began = sent(page), time.monotonic()
        time.sleep(2)
        fast_rate = (sent(page) - fast) / (time.monotonic() - began)
        assert fast_rate > 2 * slow_rate
        assert "503" in page.locator(".mesh-body").inner_text()
        page.locator(".mesh-view").screenshot(path=str(SCREENSHOTS / "traffic-panel.png"))
        page.screenshot(path=str(SCREENSHOTS / "jupyterlab.png"))

        page.locator('.mesh-view button[data-name="stop"]').click()
        until(start.is_enabled, 10)
        at_rest = Answers.count
        time.sleep(1)
        assert Answers.count == at_rest
        browser.close()
