"""The sliders of a split, moved in a real browser over a real mesh: what the visitors get follows them."""

from __future__ import annotations

import itertools
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from meshcourse import course
from meshcourse.embedded.daemon import launcher
from tests.integration.browser import jupyter

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
NAME = "split-browser"
CELL = f"""
from meshcourse import course
mesh = course.attach("{NAME}")
panel = mesh.split_panel("reviews", rate=40)
panel
"""


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[str]:
    if not shutil.which("chromium"):
        pytest.skip("there is no Chromium")
    pytest.importorskip("playwright.sync_api")
    mesh = course.open(NAME)
    try:
        mesh.ensure("bookinfo")
        with jupyter.serving(tmp_path, CELL) as url:
            yield url
    finally:
        mesh.close()
        launcher.down(NAME, delete=True)


def test_what_visitors_get_follows_the_sliders(lab: str) -> None:
    from playwright import sync_api

    jupyter.SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    with sync_api.sync_playwright() as playwright:
        chromium = shutil.which("chromium")
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1250, "height": 800})
        jupyter.run_first_cell(page, lab)
        start = page.locator('.mesh-view button[data-name="start"]')
        start.wait_for(timeout=60_000)
        assert "nothing divides yet" in said(page)
        start.click()
        drag(page, "v1", 100)
        jupyter.until(lambda: counted(page) >= 60, 60)
        assert shares(page) == {"v1": 100.0, "v2": 0.0, "v3": 0.0}
        assert "weight: 100" in said(page)

        drag(page, "v3", 50)
        jupyter.until(lambda: counted(page) >= 200, 60)
        page.locator(".mesh-view").screenshot(path=str(jupyter.SCREENSHOTS / "split-panel.png"))
        found = shares(page)
        assert 32 < found["v1"] < 68  # five standard deviations of 200
        assert found["v2"] == 0.0
        assert found["v1"] + found["v3"] == pytest.approx(100, abs=0.2)
        assert "first request on the new split after" in said(page)
        assert re.search(r"2 changes · \d+ requests since Start, 0 failed", said(page))

        page.locator('.mesh-view button[data-name="stop"]').click()
        jupyter.until(start.is_enabled, 20)
        assert "no visitors" in said(page)
        browser.close()


def drag(page: Any, version: str, percent: int) -> None:
    """Move a slider, and see that the view has understood."""
    slider = page.locator(f'.mesh-view input[data-name="{version}"]')
    slider.fill(str(percent))
    slider.dispatch_event("change")
    jupyter.until(lambda: f"{version} {percent} %" in said(page), 20)


def said(page: Any) -> str:
    return str(page.locator(".mesh-body").inner_text())


def counted(page: Any) -> int:
    """How many answers the shares are made of."""
    found = re.search(r"seen at n = (\d+)", said(page))
    return int(found[1]) if found else 0


def shares(page: Any) -> dict[str, float]:
    """What stands beside the bars, in percent."""
    texts = page.locator(".mesh-body svg text").all_text_contents()
    found = dict(itertools.pairwise(texts))
    return {v: float(found[v].partition("%")[0]) for v in ("v1", "v2", "v3")}
