"""Traffic with its controls, and the counts of what answered."""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import Protocol

from meshcourse.errors import MeshcourseError
from meshcourse.observe import bars, stats
from meshcourse.observe.result import Result
from meshcourse.widgets.live.background import STOPPABLE, Ticker
from meshcourse.widgets.live.view import Button, Slider, Text, View

#: The ends of the sliders: requests a second, and seconds.
MOST, LONGEST = 200.0, 600.0


class Source(Protocol):
    """What sends: `observe.steady.Steady`."""

    rate: float
    seconds: float

    @property
    def running(self) -> bool: ...

    @property
    def now(self) -> float: ...

    @property
    def path(self) -> str: ...

    @property
    def headers(self) -> Mapping[str, str]: ...

    @property
    def user(self) -> str: ...

    @property
    def problem(self) -> str: ...

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def change(self, rate: float) -> None: ...

    def ask(
        self,
        *,
        path: str | None = None,
        headers: Mapping[str, str] | None = None,
        user: str | None = None,
    ) -> None: ...

    def forget(self) -> None: ...

    def result(self) -> Result: ...


class TrafficPanel(View):
    """Start, stop, slower, faster, other requests; live counts by version and by code, with intervals."""

    def __init__(self, source: Source, every: float = 0.5) -> None:
        super().__init__()
        self._source = source
        self._error = ""
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
        found, problem = self._source.result(), self._error or self._source.problem
        if found.n:
            now = f"now {self._source.now:.0f} a second" if self._source.running else "stopped"
            drawn, words = (
                f"<b>{now}</b>{counts(found)}",
                f"{now}\n{found!r}{_codes_in_words(found)}",
            )
        else:
            words = f"no requests yet: press Start to send {self._source.rate:.0f} a second to {found.url}"
            drawn = f"<span style='color:#7b8494'>{html.escape(words)}</span>"
        if problem:
            drawn += f"<div style='color:#a33'>{html.escape(problem)}</div>"
            words += f"\n{problem}"
        self.show(drawn, words)
        self._offer()
        if not self._source.running:
            self._ticker.stop()

    def start(self) -> None:
        """Send."""
        self._error = ""
        self._source.start()
        self.refresh()
        self._ticker.start()

    def stop(self) -> None:
        """Send no more; the counts stay."""
        self._source.stop()

    def pressed(self, name: str) -> None:
        if name == "start":
            self.start()
        elif name == "stop":
            self.stop()
        elif name == "forget":
            self._source.forget()
            self.refresh()

    def chosen(self, name: str, value: float) -> None:
        if name == "rate":
            self._source.change(value)
        elif name == "seconds":
            self._source.seconds = value
        self._offer()

    def typed(self, name: str, text: str) -> None:
        self._error = ""
        try:
            if name == "path":
                self._source.ask(path=text.strip())
            elif name == "headers":
                self._source.ask(headers=headers_of(text))
            elif name == "user":
                self._source.ask(user=text.strip())
        except MeshcourseError as error:
            self._error = str(error)
        self.refresh()

    def _offer(self) -> None:
        source, running = self._source, self._source.running
        self.offer(
            [
                Button("start", "Start", not running),
                Button("stop", "Stop", running),
                Button("forget", "Count from zero"),
                Slider("rate", "requests a second", source.rate, 1, MOST),
                Slider("seconds", "for (0: until Stop)", source.seconds, 0, LONGEST, 10, " s"),
                Text("path", "path", source.path, "/productpage", 20),
                Text("headers", "headers", written(source.headers), "name: value; name: value", 26),
                Text("user", "user", source.user, "nobody", 8),
            ]
        )


def headers_of(text: str) -> dict[str, str]:
    """``name: value; name: value`` as headers.

    :raises MeshcourseError: for a part that has no colon or no name.
    """
    found = {}
    for part in filter(None, map(str.strip, text.split(";"))):
        name, colon, value = part.partition(":")
        if not colon or not name.strip() or " " in name.strip():
            raise MeshcourseError(
                f"{part!r} is not a header",
                remedy="Write them like this: `end-user: jason; x-a: b`.",
            )
        found[name.strip()] = value.strip()
    return found


def written(headers: Mapping[str, str]) -> str:
    """The same as `headers_of` reads."""
    return "; ".join(f"{name}: {value}" for name, value in headers.items())


def counts(found: Result) -> str:
    """The bars of the versions (of the codes, if no version can be told), and those of the codes below them."""
    if not found.versions:
        return found._repr_html_()
    return found._repr_html_() + bars.panel("by response code:", _codes(found))


def _codes(found: Result) -> list[bars.Bar]:
    return [
        bars.Bar(str(code or "no answer"), count, stats.wilson(count, found.n))
        for code, count in found.statuses.items()
    ]


def _codes_in_words(found: Result) -> str:
    if not found.versions:
        return ""
    lines = [f"  {each.label:<10} {each.count:>6}  {each.interval}" for each in _codes(found)]
    return "\n".join(["", "by response code:", *lines])
