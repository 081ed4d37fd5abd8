"""Live views without a browser: nothing runs by itself, everything ends when it should."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import pytest

from meshcourse.errors import MeshcourseError
from meshcourse.observe.result import Result, Sample
from meshcourse.widgets.live import background
from meshcourse.widgets.live.traffic import TrafficPanel
from meshcourse.widgets.live.view import Button, Slider, View
from meshcourse.widgets.live.watching import Watching
from meshcourse.widgets.picture import Picture


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    background.stop_all()
    until(lambda: set(threading.enumerate()) <= before)


def until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


class Counting:
    """Something to look at."""

    def __init__(self) -> None:
        self.looks = 0

    def __call__(self) -> Picture:
        self.looks += 1
        return Picture(f"<svg>{self.looks}</svg>", f"look {self.looks}")


class Source:
    """Traffic that is only counted."""

    def __init__(self) -> None:
        self.rate, self.running, self.now = 20.0, False, 19.6
        self.samples: list[Sample] = []

    def start(self) -> None:
        self.running = True
        self.samples.append(Sample(0.0, 0.0, 0.01, 200, "v1"))

    def stop(self) -> None:
        self.running = False

    def change(self, rate: float) -> None:
        self.rate = rate

    def result(self) -> Result:
        return Result("http://x/", tuple(self.samples), 1.0)


def message(view: View, **content: object) -> None:
    view._message(view, content, [])


def test_a_view_without_a_browser_looks_once_and_runs_nothing() -> None:
    look = Counting()
    view = Watching(look, every=0.01)
    assert (look.looks, view.running) == (1, False)
    assert repr(view) == "look 1"
    data, _ = view._repr_mimebundle_()
    assert data["text/html"] == "<svg>1</svg>"
    assert data["text/plain"] == "look 1"
    assert "application/vnd.jupyter.widget-view+json" in data
    view.close()


def test_it_looks_while_somebody_looks() -> None:
    look = Counting()
    view = Watching(look, every=0.01)
    message(view, type="shown")
    message(view, type="shown")
    until(lambda: look.looks > 3)
    message(view, type="gone")
    assert view.running
    message(view, type="gone")
    until(lambda: not view.running)
    view.close()


def test_closing_and_interrupting_end_the_work() -> None:
    for end in (
        lambda view: view.close(),
        lambda _view: background.stop_all(),
        lambda _view: background._after_cell(SimpleNamespace(error_in_exec=KeyboardInterrupt())),
    ):
        view = Watching(Counting(), every=0.01)
        message(view, type="shown")
        assert view.running
        end(view)
        until(lambda view=view: not view.running)  # type: ignore[misc]
    running = Watching(Counting(), every=0.01)
    message(running, type="shown")
    background._after_cell(SimpleNamespace(error_in_exec=ValueError()))
    assert running.running


def test_what_cannot_be_seen_is_said() -> None:
    def refuse() -> None:
        raise MeshcourseError("<no Kiali>", remedy="ensure it")

    view = Watching(refuse)
    assert "no Kiali" in repr(view)
    assert "&lt;no Kiali&gt;" in view.html


def test_the_panel_obeys_its_controls() -> None:
    source = Source()
    panel = TrafficPanel(source, every=0.01)
    assert "press Start to send 20 a second" in repr(panel)
    message(panel, type="pressed", name="start")
    until(lambda: "now 20 a second" in repr(panel))
    assert [control.get("enabled") for control in panel.controls] == [False, True, None]
    message(panel, type="set", name="rate", value=75)
    assert source.rate == panel.controls[2]["value"] == 75
    message(panel, type="pressed", name="stop")
    until(lambda: "stopped" in repr(panel))
    until(lambda: panel.controls[0]["enabled"])
    assert panel.result.n == 1
    message(panel, type="nonsense")
    panel.close()


def test_controls_are_plain_values() -> None:
    view = View()
    view.offer([Button("go", "Go"), Slider("n", "how many", 5, 1, 9)])
    assert [each["kind"] for each in view.controls] == ["button", "slider"]
    view.close()
