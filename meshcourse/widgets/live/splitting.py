"""A slider for each version, the YAML it applies, and what the visitors get of it."""

from __future__ import annotations

import contextlib
import html
import time
from typing import Protocol

from meshcourse.errors import MeshcourseError
from meshcourse.observe.result import Result
from meshcourse.rollout import split
from meshcourse.rollout import weights as shares
from meshcourse.rollout.split import Answers, Split
from meshcourse.rollout.splitter import Shift
from meshcourse.rollout.weights import Weights
from meshcourse.widgets.live.background import STOPPABLE, Ticker
from meshcourse.widgets.live.view import Button, Slider, View


class Source(Protocol):
    """What sends: `observe.steady.Steady`."""

    @property
    def running(self) -> bool: ...

    @property
    def now(self) -> float: ...

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def answers(self) -> Answers: ...

    def result(self) -> Result: ...


class Divider(Protocol):
    """What divides: `rollout.splitter.Splitter`."""

    host: str
    versions: list[str]

    def current(self) -> Weights: ...

    def set(self, weights: Weights) -> Shift: ...

    def yaml(self) -> str: ...


class SplitPanel(View):
    """Start and stop visitors, and say by sliders which share of them each version gets."""

    def __init__(self, divider: Divider, source: Source, every: float = 0.5) -> None:
        super().__init__()
        self._divider, self._source = divider, source
        self._ticker = Ticker(self.refresh, every)
        self._problem = ""
        self.moves = 0
        now = divider.current()
        #: What was set last; before the first move, what was found.
        self._shift = Shift(now, now, 0.0, 0.0, divider.yaml())
        STOPPABLE.add(self)
        self.refresh()
        self._offer()

    @property
    def weights(self) -> Weights:
        """The weights that are set now; empty if nothing divides yet."""
        return self._shift.weights

    @property
    def result(self) -> Split:
        """What is known of the present split: the same object that ``mesh.split`` gives."""
        answers, url = self._source.answers(), self._source.result().url
        return split.judge(self._divider.host, self._shift, url, answers)

    @property
    def running(self) -> bool:
        return self._source.running

    def start(self) -> None:
        """Send visitors."""
        self._source.start()
        self.refresh()
        self._offer()
        self._ticker.start()

    def stop(self) -> None:
        """Send no more; the split stays as it is."""
        self._source.stop()

    def set(self, weights: Weights) -> None:
        """Divide otherwise from now on; what the cluster refuses is said in the view."""
        try:
            self._shift = self._divider.set(weights)
        except MeshcourseError as error:
            self._problem = str(error)
        else:
            self._problem, self.moves = "", self.moves + 1
        self.refresh()
        self._offer()

    def pressed(self, name: str) -> None:
        if name == "start":
            self.start()
        else:
            self.stop()

    def chosen(self, name: str, value: float) -> None:
        wanted = shares.rebalanced(self._shown(), name, value)
        if wanted != self.weights:  # a browser may say the same twice
            self.set(wanted)

    def refresh(self) -> None:
        """Draw what is known now."""
        self._notice()
        found = self.result
        state = (
            f"now {self._source.now:.0f} a second" if self.running else "no visitors: press Start"
        )
        moved = f"{self.moves} changes · {found.sent} requests since Start, {found.failed} failed"
        seen = found._repr_html_() if found.weights else "<i>nothing divides yet: move a slider</i>"
        problem = f"<div style='color:#b23b3b'>{html.escape(self._problem)}</div>"
        yaml = f"<pre style='font-size:12px'>{html.escape(found.yaml)}</pre>" if found.yaml else ""
        self.show(
            f"<b>{state}</b> · {moved}{problem if self._problem else ''}"
            f"<div style='display:flex;gap:24px;flex-wrap:wrap'><div>{seen}</div>{yaml}</div>",
            "\n".join(
                line for line in (state, moved, self._problem, repr(found), found.yaml) if line
            ),
        )
        if not self.running and self._ticker.running:
            self._ticker.stop()
            self._offer()

    def _notice(self) -> None:
        """Somebody else may have moved the weights: a cell below, or kubectl."""
        with contextlib.suppress(MeshcourseError):
            now = self._divider.current()
            if {v: w for v, w in now.items() if w} != {v: w for v, w in self.weights.items() if w}:
                before = self.weights or dict.fromkeys(self._divider.versions, 1)
                self._shift = Shift(before, now, time.time(), 0.0, self._divider.yaml())
                self._offer()

    def _shown(self) -> Weights:
        """What the sliders stand at: while nothing divides, every version alike."""
        if self.weights:
            return dict.fromkeys(self._divider.versions, 0) | self.weights
        versions = self._divider.versions
        return shares.rebalanced(dict.fromkeys(versions, 0), versions[0], 100 / len(versions))

    def _offer(self) -> None:
        running = self.running
        start, stop = Button("start", "Start", not running), Button("stop", "Stop", running)
        sliders = [Slider(v, v, w, 0, 100, unit=" %") for v, w in self._shown().items()]
        self.offer([start, stop, *sliders])
