"""The panel with a slider for each version, without a browser and without a cluster."""

from __future__ import annotations

import time
from collections.abc import Callable

from meshcourse.observe.result import Result, Sample
from meshcourse.rollout import weights
from meshcourse.rollout.splitter import Shift
from meshcourse.rollout.weights import RolloutError, Weights
from meshcourse.widgets.live import background
from meshcourse.widgets.live.splitting import SplitPanel


class Divider:
    host = "reviews"

    def __init__(self, now: Weights) -> None:
        self.versions, self.now = ["v1", "v2", "v3"], now

    def current(self) -> Weights:
        return self.now

    def set(self, wanted: Weights) -> Shift:
        if wanted["v3"] > 90:
            raise RolloutError("<refused>")
        before, self.now = self.now or dict.fromkeys(self.versions, 1), wanted
        return Shift(before, wanted, time.time(), 0.01, self.yaml())

    def yaml(self) -> str:
        return weights.text(weights.with_weights(None, "reviews", self.now)) if self.now else ""


class Source:
    def __init__(self) -> None:
        self.running, self.now = False, 58.7
        self.sent: list[tuple[float, Sample]] = []

    def start(self) -> None:
        self.running = True

    def stop(self) -> None:
        self.running = False

    def answers(self) -> list[tuple[float, Sample]]:
        return self.sent

    def result(self) -> Result:
        return Result("http://x/", (), 0.0)

    def answered(self, label: str, count: int, status: int = 200) -> None:
        self.sent += [(time.time(), Sample(0, 0, 0.01, status, label)) for _ in range(count)]


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def sliders(panel: SplitPanel) -> dict[str, float]:
    return {each["name"]: each["value"] for each in panel.controls if each["kind"] == "slider"}


def test_a_move_of_a_slider_is_a_change_of_weights() -> None:
    divider, source = Divider({"v1": 100, "v2": 0, "v3": 0}), Source()
    panel = SplitPanel(divider, source, every=0.01)
    assert "no visitors: press Start" in repr(panel)
    assert "weight: 100" in repr(panel)
    panel._message(panel, {"type": "pressed", "name": "start"}, [])
    source.answered("v1", 30)
    panel._message(panel, {"type": "set", "name": "v2", "value": 40}, [])
    panel._message(panel, {"type": "set", "name": "v2", "value": 40}, [])
    assert divider.now == {"v1": 60, "v2": 40, "v3": 0}
    assert sliders(panel) == {"v1": 60, "v2": 40, "v3": 0}
    for _ in range(20):
        source.answered("v2", 2)
        source.answered("v1", 3)
    source.answered("", 1, 503)
    until(lambda: "v2      40 % wanted, 40.0%" in repr(panel))
    assert "1 changes · 131 requests since Start, 1 failed" in repr(panel)
    assert panel.result.result.versions == {"v1": 60, "v2": 40}
    assert panel.result.verdict
    assert "weight: 40" in panel.html
    panel._message(panel, {"type": "pressed", "name": "stop"}, [])
    until(lambda: "no visitors" in repr(panel))
    until(lambda: panel.controls[0]["enabled"])
    panel.close()


def test_before_the_first_move_nothing_divides() -> None:
    panel = SplitPanel(Divider({}), Source())
    assert "nothing divides yet" in panel.html
    assert sliders(panel) == {"v1": 33, "v2": 34, "v3": 33}
    assert panel.weights == {}
    panel.close()


def test_a_change_by_somebody_else_is_noticed() -> None:
    divider = Divider({"v1": 100})
    panel = SplitPanel(divider, Source())
    divider.now = {"v1": 0, "v2": 100}
    panel.refresh()
    assert panel.weights == {"v1": 0, "v2": 100}
    assert sliders(panel) == {"v1": 0, "v2": 100, "v3": 0}
    assert panel.moves == 0
    panel.close()


def test_a_refusal_is_said_and_forgotten_after_the_next_move() -> None:
    panel = SplitPanel(Divider({"v1": 100}), Source())
    panel.set({"v1": 0, "v2": 0, "v3": 100})
    assert "<refused>" in repr(panel)
    assert "&lt;refused&gt;" in panel.html
    assert panel.moves == 0
    panel.set({"v1": 50, "v2": 50, "v3": 0})
    assert "refused" not in panel.html
    assert panel.moves == 1
    panel.close()


def test_closing_and_interrupting_end_the_visitors() -> None:
    for end in (lambda panel: panel.close(), lambda _panel: background.stop_all()):
        source = Source()
        panel = SplitPanel(Divider({"v1": 100}), source, every=0.01)
        panel.start()
        end(panel)
        assert not source.running
        until(lambda panel=panel: not panel._ticker.running)  # type: ignore[misc]
