"""Live views without a browser: nothing runs by itself, everything ends when it should."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from types import SimpleNamespace

import pytest

from meshcourse.errors import MeshcourseError
from meshcourse.observe.jaeger import Span, Trace
from meshcourse.observe.result import Result, Sample
from meshcourse.observe.steady import Steady
from meshcourse.observe.traffic import Plan
from meshcourse.widgets import spans
from meshcourse.widgets.live import background
from meshcourse.widgets.live.picking import Picking, TraceView
from meshcourse.widgets.live.traffic import TrafficPanel
from meshcourse.widgets.live.view import Button, Slider, View
from meshcourse.widgets.live.watching import Watching
from meshcourse.widgets.picture import Picture, Table


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
        self.rate, self.seconds, self.running, self.now = 20.0, 0.0, False, 19.6
        self.path, self.user, self.problem = "/productpage", "", ""
        self.headers: Mapping[str, str] = {}
        self.samples: list[Sample] = []

    def start(self) -> None:
        self.running = True
        self.samples.append(Sample(0.0, 0.0, 0.01, 200, "v1"))

    def stop(self) -> None:
        self.running = False

    def change(self, rate: float) -> None:
        self.rate = rate

    def ask(
        self,
        *,
        path: str | None = None,
        headers: Mapping[str, str] | None = None,
        user: str | None = None,
    ) -> None:
        self.path = self.path if path is None else path
        self.headers = self.headers if headers is None else headers
        self.user = self.user if user is None else user

    def forget(self) -> None:
        self.samples.clear()

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
    shown = {control["name"]: control for control in panel.controls}
    assert (shown["start"]["enabled"], shown["stop"]["enabled"]) == (False, True)
    message(panel, type="set", name="rate", value=75)
    message(panel, type="set", name="seconds", value=30)
    assert (source.rate, source.seconds) == (75, 30)
    message(panel, type="set", name="path", value="/api/v1/products")
    message(panel, type="set", name="headers", value=" end-user: jason; x-a: b:c ;")
    message(panel, type="set", name="user", value="jason")
    assert (source.path, source.user) == ("/api/v1/products", "jason")
    assert source.headers == {"end-user": "jason", "x-a": "b:c"}
    values = {control["name"]: control.get("value") for control in panel.controls}
    assert (values["rate"], values["headers"]) == (75, "end-user: jason; x-a: b:c")
    message(panel, type="pressed", name="stop")
    until(lambda: "stopped" in repr(panel))
    until(lambda: panel.controls[0]["enabled"])
    assert panel.result.n == 1
    message(panel, type="nonsense")
    message(panel, type="pressed", name="forget")
    assert "no requests yet" in repr(panel)
    panel.close()


def test_the_panel_counts_by_version_and_by_code() -> None:
    source = Source()
    panel = TrafficPanel(source, every=60)
    answers = [(200, "v1")] * 3 + [(200, "v2")] + [(503, "")]
    source.samples = [Sample(0.0, 0.0, 0.01, status, label) for status, label in answers]
    panel.refresh()
    words = repr(panel)
    versions, codes = words.split("by response code:")
    assert "v1              3  75.0%" in versions
    assert "200             4  80.0%" in codes
    assert "503             1  20.0%" in codes
    assert panel.html.count("<svg") == 2
    panel.close()


@pytest.mark.parametrize("wrong", ["jason", ": x", "a b: c"])
def test_what_is_no_header_is_said_and_changes_nothing(wrong: str) -> None:
    source = Source()
    panel = TrafficPanel(source, every=60)
    message(panel, type="set", name="headers", value=wrong)
    assert "is not a header" in repr(panel)
    assert source.headers == {}
    message(panel, type="set", name="headers", value="")
    assert "is not a header" not in repr(panel)
    panel.close()


def test_a_run_that_could_not_begin_says_why() -> None:
    source = Source()
    source.problem = "cannot <sign in>"
    panel = TrafficPanel(source, every=60)
    assert "cannot <sign in>" in repr(panel)
    assert "cannot &lt;sign in&gt;" in panel.html
    panel.close()


class Known(Picture):
    """A picture that knows more of one thing."""

    def details(self, name: str) -> Table | None:
        return Table((name, ""), [("rate", "3")]) if name == "web" else None


def test_a_click_shows_details_until_the_next() -> None:
    view = Picking(lambda: Known("<svg/>", "picture"), every=60)
    message(view, type="picked", name="web")
    assert repr(view) == "picture\n\nweb\nrate  3"
    assert "<td" in view.html
    message(view, type="picked", name="db")
    assert "not in the picture any more" in repr(view)
    message(view, type="picked", name="db")
    assert repr(view) == "picture"
    view.close()


def trace(name: str, start: float) -> Trace:
    root = Span(f"{name}-1", "", "GET /", "gateway", start, 0.2, {"http.status_code": "200"})
    return Trace(name, (root, Span(f"{name}-2", f"{name}-1", "call", "web", start, 0.1)))


def test_a_trace_that_was_clicked_stays_while_newer_ones_come() -> None:
    newest = [trace("aaa", 1.0)]
    view = TraceView(lambda: spans.Traces(tuple(newest)), every=60)
    assert "trace aaa: 2 spans" in repr(view)
    newest.insert(0, trace("bbb", 2.0))
    view.refresh()
    assert "trace bbb: 2 spans" in repr(view)
    message(view, type="picked", name="aaa")
    newest.insert(0, trace("ccc", 3.0))
    view.refresh()
    assert "trace aaa: 2 spans" in repr(view)
    message(view, type="picked", name="aaa-1")
    assert "http.status_code  200" in repr(view)
    assert "data-pick='ccc'" in view.html
    view.close()


def test_no_traces_are_explained() -> None:
    view = TraceView(lambda: spans.Traces(()), every=60)
    assert "is tracing on" in repr(view)
    view.close()


def test_a_ticker_that_is_ending_can_be_started_again() -> None:
    entered, leave = threading.Event(), threading.Event()

    def work() -> None:
        entered.set()
        leave.wait(10)

    ticker = background.Ticker(work, every=0.01)
    ticker.start()
    assert entered.wait(10)
    ticker.stop()
    entered.clear()
    ticker.start()
    assert entered.wait(10)
    ticker.stop()
    leave.set()


def test_a_panel_goes_on_drawing_while_what_it_sends_changes() -> None:
    steady = Steady(Plan(url="http://127.0.0.1:9/", n=1, rate=100))
    panel = TrafficPanel(steady, every=0.001)
    panel.start()
    for number in range(8):
        message(panel, type="set", name="path", value=f"/{number}")
        message(panel, type="set", name="rate", value=100 + number)
        assert steady.running
        assert panel._ticker.running
        assert not panel._ticker._stop.is_set()
    panel.close()
    until(lambda: not any(run.running for run in steady._runs))


def test_closing_the_panel_ends_real_traffic() -> None:
    steady = Steady(Plan(url="http://127.0.0.1:9/", n=1, rate=50))
    panel = TrafficPanel(steady, every=0.02)
    panel.start()
    until(lambda: steady.result().n > 3)
    panel.close()
    until(lambda: not steady.running)


def test_controls_are_plain_values() -> None:
    view = View()
    view.offer([Button("go", "Go"), Slider("n", "how many", 5, 1, 9)])
    assert [each["kind"] for each in view.controls] == ["button", "slider"]
    view.close()
