"""Traffic with a start button and a rate slider, and the counts of what answered."""

from __future__ import annotations

from typing import Protocol

from meshcourse.observe.result import Result
from meshcourse.widgets.live.background import STOPPABLE, Ticker
from meshcourse.widgets.live.view import Button, Slider, View

MOST = 200.0


class Source(Protocol):
    """What sends: `observe.steady.Steady`."""

    rate: float

    @property
    def running(self) -> bool: ...

    @property
    def now(self) -> float: ...

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def change(self, rate: float) -> None: ...

    def result(self) -> Result: ...


class TrafficPanel(View):
    """Start, stop, slower, faster; live counts with intervals."""

    def __init__(self, source: Source, every: float = 0.5) -> None:
        super().__init__()
        self._source = source
        self._ticker = Ticker(self.refresh, every)
        STOPPABLE.add(self)
        self.refresh()

    @property
    def result(self) -> Result:
        """What was measured so far: the same object that ``mesh.traffic`` gives."""
        return self._source.result()

    @property
    def running(self) -> bool:
        return self._source.running

    def refresh(self) -> None:
        """Draw the counts as they are now."""
        found = self._source.result()
        if found.n:
            now = f"now {self._source.now:.0f} a second" if self._source.running else "stopped"
            self.show(f"<b>{now}</b>{found._repr_html_()}", f"{now}\n{found!r}")
        else:
            idle = f"no requests yet: press Start to send {self._source.rate:.0f} a second to {found.url}"
            self.show(f"<span style='color:#7b8494'>{idle}</span>", idle)
        self._offer()
        if not self._source.running:
            self._ticker.stop()

    def start(self) -> None:
        """Send."""
        self._source.start()
        self.refresh()
        self._ticker.start()

    def stop(self) -> None:
        """Send no more; the counts stay."""
        self._source.stop()

    def pressed(self, name: str) -> None:
        if name == "start":
            self.start()
        else:
            self.stop()

    def chosen(self, name: str, value: float) -> None:
        self._source.change(value)
        self._offer()

    def _offer(self) -> None:
        running = self._source.running
        slider = Slider("rate", "requests a second", self._source.rate, 1, MOST)
        start, stop = Button("start", "Start", not running), Button("stop", "Stop", running)
        self.offer([start, stop, slider])
