"""Scraping: one loop per target, samples into the database, staleness when a series or a target disappears."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterable

import aiohttp

from meshcourse.embedded.addons.prometheus import exposition, tsdb
from meshcourse.embedded.addons.prometheus.targets import Target

_TIMEOUT = aiohttp.ClientTimeout(total=10)


def milliseconds() -> int:
    return time.time_ns() // 1_000_000


class Loop:
    """The scrapes of one target, and how the last one went."""

    def __init__(self, target: Target, database: tsdb.Database) -> None:
        self.target = target
        self.health = "unknown"
        self.last_error = ""
        self.last_scrape = 0
        self.last_seconds = 0.0
        self.metadata: dict[str, dict[str, str]] = {}
        self._database = database
        self._timeline = tsdb.Timeline()
        self._known: dict[str, tsdb.Series] = {}
        self._shown: set[str] = set()

    async def scrape(self, session: aiohttp.ClientSession) -> None:
        """One scrape; a failure is a sample too (``up`` 0) and ends every other series of the target."""
        started = milliseconds()
        text = ""
        try:
            async with session.get(self.target.url, timeout=_TIMEOUT) as answer:
                answer.raise_for_status()
                text = await answer.text()
            self._store(text)
            self.health, self.last_error = "up", ""
        except (aiohttp.ClientError, TimeoutError, OSError, exposition.FormatError) as error:
            self._store("")
            self.health, self.last_error = "down", str(error) or type(error).__name__
        self.last_scrape = started
        self.last_seconds = (milliseconds() - started) / 1000
        self._own("up", 1.0 if self.health == "up" else 0.0)
        self._timeline.times.append(started)
        self._database.changed()

    def end(self) -> None:
        """The target is gone: every series gets a staleness marker."""
        for series in self._known.values():
            if not series.gone:
                series.append(self._timeline.end, tsdb.STALE)
        self._timeline.times.append(milliseconds())
        self._database.changed()

    def _store(self, text: str) -> None:
        """Append all samples of a scrape or, if any line is wrong, none."""
        found = [
            (written, self._known.get(written) or self._new(written), value)
            for written, value in exposition.lines(text)
        ]
        index = self._timeline.end
        shown: set[str] = set()
        for written, series, value in found:
            series.append(index, value)
            shown.add(written)
        for written in self._shown - shown:
            self._known[written].append(index, tsdb.STALE)
        self._shown = shown
        if text and not self.metadata:
            self._read_metadata(text)

    def forget(self) -> None:
        """Drop what the database has forgotten."""
        self._known = {
            written: series
            for written, series in self._known.items()
            if written in self._shown or series.trim()
        }

    def _own(self, name: str, value: float) -> None:
        series = self._known.get(name)
        if series is None:
            labels = tsdb.make_labels({**dict(self.target.labels), tsdb.METRIC_NAME: name})
            series = self._known[name] = self._database.series(labels, self._timeline)
        series.append(self._timeline.end, value)

    def _new(self, written: str) -> tsdb.Series:
        labels = exposition.labels(written)
        for name, value in self.target.labels:
            # A label of the target wins; what the workload said is kept under another name (honor_labels: false).
            if name in labels:
                labels[f"exported_{name}"] = labels[name]
            labels[name] = value
        self._known[written] = self._database.series(tsdb.make_labels(labels), self._timeline)
        return self._known[written]

    def _read_metadata(self, text: str) -> None:
        for metric, kind, value in exposition.metadata(text):
            entry = self.metadata.setdefault(metric, {"type": "unknown", "help": ""})
            entry["type" if kind == "TYPE" else "help"] = value


class Scraper:
    """Keeps one `Loop` per target and scrapes them all every `interval` seconds.

    :param targets: called before every round; the targets as they are now.
    """

    def __init__(
        self, database: tsdb.Database, targets: Callable[[], Iterable[Target]], interval: float
    ) -> None:
        self.loops: dict[Target, Loop] = {}
        self._database = database
        self._targets = targets
        self._interval = interval
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def round(self, session: aiohttp.ClientSession) -> None:
        """Scrape every present target once."""
        present = set(self._targets())
        for target in self.loops.keys() - present:
            self.loops.pop(target).end()
        for target in present - self.loops.keys():
            self.loops[target] = Loop(target, self._database)
        await asyncio.gather(*(loop.scrape(session) for loop in self.loops.values()))
        if self._database.trim(milliseconds()):
            for loop in self.loops.values():
                loop.forget()

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        async with aiohttp.ClientSession() as session:
            while True:
                await self.round(session)
                due = max(due + self._interval, loop.time())
                await asyncio.sleep(due - loop.time())
