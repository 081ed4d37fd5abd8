"""Samples in memory: compact where nothing changes, bounded by a retention time.

All series of one scrape target share one `Timeline` of scrape times. A series stores only the scrapes at which its
value changed, because most counters of a mesh stand still most of the time. A series that a scrape no longer shows
gets a staleness marker, as in Prometheus ("Staleness", prometheus.io querying basics).
"""

from __future__ import annotations

import struct
from array import array
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from meshcourse.embedded.addons.prometheus.chunks import Chunk, packed
from meshcourse.embedded.addons.prometheus.matchers import Matcher

Labels = tuple[tuple[str, str], ...]
Times = NDArray[np.int64]
Floats = NDArray[np.float64]

METRIC_NAME = "__name__"
#: 36 MiB: with the program itself and the labels of some thousand series, less than 60.
ROOM = 36 * 2**20
#: Changes that are packed together.
CHUNK = 240
#: Selections that are kept until the series change.
_REMEMBERED = 256
_STALE_BITS = 0x7FF0000000000002
#: The NaN that marks a series as gone; distinguishable by its bits from a NaN that was measured.
STALE: float = struct.unpack("<d", struct.pack("<Q", _STALE_BITS))[0]
_STALE_RAW = struct.pack("<d", STALE)


def make_labels(labels: Mapping[str, str]) -> Labels:
    """Canonical form of a label set: sorted, without empty values (an empty label is an absent one)."""
    return tuple(sorted((name, value) for name, value in labels.items() if value != ""))


def stale(values: Floats) -> NDArray[np.bool_]:
    """Which of the values are staleness markers."""
    found: NDArray[np.bool_] = values.view(np.uint64) == _STALE_BITS
    return found


class Span(NamedTuple):
    """Scrapes of a timeline, by their indices ``[low, high)``, and their times."""

    low: int
    high: int
    times: Times


class Timeline:
    """The times (milliseconds since the epoch, increasing) of the scrapes of one target."""

    def __init__(self) -> None:
        self.times = array("q")
        self.dropped = (
            0  # scrapes forgotten at the front; indices into series count from the first ever
        )

    @property
    def end(self) -> int:
        """The index of the next scrape."""
        return self.dropped + len(self.times)

    def span(self, start: int, end: int) -> Span:
        """The scrapes with ``start < time <= end``."""
        times: Times = np.array(self.times, dtype=np.int64)
        low = int(np.searchsorted(times, start, side="right"))
        high = int(np.searchsorted(times, end, side="right"))
        return Span(low + self.dropped, high + self.dropped, times[low:high])

    def trim(self, before: int) -> None:
        count = bisect_left(self.times, before)
        if count:
            del self.times[:count]
            self.dropped += count


class Series:
    """One label set on one timeline. ``changes[i]`` is the scrape from which ``values[i]`` holds.

    The newest changes are in two arrays, of which the last is never packed; older ones are in `chunks`.
    """

    __slots__ = ("changes", "chunks", "labels", "timeline", "values")

    def __init__(self, labels: Labels, timeline: Timeline) -> None:
        self.labels = labels
        self.timeline = timeline
        self.changes = array("q")
        self.values = array("d")
        self.chunks: list[Chunk] = []

    def append(self, index: int, value: float) -> None:
        """The value at scrape `index`; stored only if it differs, bit for bit, from the one before."""
        if self.values and struct.pack("<d", self.values[-1]) == struct.pack("<d", value):
            return
        if len(self.values) > CHUNK:
            self.pack()
        self.changes.append(index)
        self.values.append(value)

    def pack(self) -> None:
        """Pack all but the last change, `CHUNK` together."""
        changes, values = np.array(self.changes, np.int64), np.array(self.values, np.float64)
        for start in range(0, len(changes) - 1, CHUNK):
            part = slice(start, min(start + CHUNK, len(changes) - 1))
            self.chunks.append(packed(changes[part], values[part]))
        del self.changes[:-1]
        del self.values[:-1]

    @property
    def gone(self) -> bool:
        return not self.values or struct.pack("<d", self.values[-1]) == _STALE_RAW

    @property
    def first(self) -> int:
        """The first scrape that is stored."""
        return self.chunks[0].first if self.chunks else self.changes[0]

    def between(self, start: int, end: int) -> tuple[Times, Floats]:
        """Samples with ``start < time <= end``, staleness markers included."""
        return self.within(self.timeline.span(start, end))

    def within(self, span: Span) -> tuple[Times, Floats]:
        """Samples of a span of this series' timeline; if it has one at each scrape, the times are the span's own."""
        low = max(span.low, self.first) if self.changes else span.high
        if low >= span.high:
            return np.empty(0, np.int64), np.empty(0, np.float64)
        changes, values = self._since(low)
        first = int(np.searchsorted(changes, low, side="right")) - 1
        last = int(np.searchsorted(changes, span.high, side="left"))
        held = values[first:last]
        times = span.times if low == span.low else span.times[low - span.low :]
        if last - first == span.high - low:  # another value at each scrape
            return times, held
        starts = np.maximum(changes[first:last], low)
        lengths = np.empty_like(starts)
        lengths[:-1], lengths[-1] = starts[1:] - starts[:-1], span.high - starts[-1]
        return times, held.repeat(lengths)

    def _since(self, low: int) -> tuple[Times, Floats]:
        """The changes from the one that holds at scrape `low` on; copies."""
        parts = [(np.array(self.changes, np.int64), np.array(self.values, np.float64))]
        for chunk in reversed(self.chunks):
            if parts[-1][0][0] <= low:
                break
            parts.append(chunk.unpacked())
        if len(parts) == 1:
            return parts[0]
        parts.reverse()
        changes, values = zip(*parts, strict=True)
        return np.concatenate(changes), np.concatenate(values)

    def trim(self) -> bool:
        """Forget changes that ended before the timeline's first scrape; whether anything is left to show."""
        begins = [chunk.first for chunk in self.chunks] + list(self.changes[:1])
        del self.chunks[: max(0, bisect_right(begins, self.timeline.dropped) - 1)]
        if not self.chunks:
            keep = max(0, bisect_right(self.changes, self.timeline.dropped) - 1)
            del self.changes[:keep]
            del self.values[:keep]
        return not (self.gone and (not self.changes or self.changes[-1] < self.timeline.dropped))


class Database:
    """All series, with an index by metric name.

    :param retention: milliseconds of samples that are kept, if there is room.
    :param room: bytes for packed samples; when they need more, the oldest go before their time.
    """

    def __init__(self, retention: int = 2 * 3600 * 1000, room: int = ROOM) -> None:
        self.retention = retention
        self.room = room
        self._by_name: dict[str, dict[Labels, list[Series]]] = defaultdict(dict)
        self._last_trim = 0
        self._pairs: dict[tuple[str, str], tuple[str, str]] = {}
        self._selected: dict[tuple[Matcher, ...], list[Series]] = {}
        #: What queries computed, until something is stored (`changed`).
        self.memo: dict[object, object] = {}

    def __len__(self) -> int:
        return sum(
            len(lines) for by_labels in self._by_name.values() for lines in by_labels.values()
        )

    def series(self, labels: Labels, timeline: Timeline) -> Series:
        """The series of a label set on a timeline, made if it is new."""
        name = next((value for key, value in labels if key == METRIC_NAME), "")
        if (
            labels not in self._by_name[name]
        ):  # the same pairs occur in thousands of series: keep each once
            labels = tuple(self._pairs.setdefault(pair, pair) for pair in labels)
        lines = self._by_name[name].setdefault(labels, [])
        for found in lines:
            if found.timeline is timeline:
                return found
        lines.append(Series(labels, timeline))
        self._selected.clear()
        return lines[-1]

    def changed(self) -> None:
        """Samples were stored: what was computed of the old ones holds no more."""
        self.memo.clear()

    def load(self, labels: Mapping[str, str], samples: Iterable[tuple[int, float]]) -> None:
        """Store one series with its own times: for tests and imports."""
        timeline = Timeline()
        series = self.series(make_labels(labels), timeline)
        for time, value in samples:
            series.append(timeline.end, value)
            timeline.times.append(time)
        self.changed()

    def trim(self, now: int) -> bool:
        """Forget what is too old, at most once a tenth of the retention time or a minute; whether it did."""
        if now - self._last_trim < min(self.retention // 10, 60_000):
            return False
        self._last_trim = now
        self._selected.clear()
        self.changed()
        timelines = {id(series.timeline): series.timeline for series in self._all()}
        oldest = now - self._kept(now, timelines.values())
        for timeline in timelines.values():
            timeline.trim(oldest)
        for name, by_labels in list(self._by_name.items()):
            for labels, lines in list(by_labels.items()):
                lines[:] = [series for series in lines if series.trim()]
                if not lines:
                    del by_labels[labels]
            if not by_labels:
                del self._by_name[name]
        return True

    def _kept(self, now: int, timelines: Iterable[Timeline]) -> int:
        """How far back to keep, in milliseconds: less than the retention time if that needs too much room."""
        size = sum(chunk.size for series in self._all() for chunk in series.chunks)
        reach = now - min((line.times[0] for line in timelines if line.times), default=now)
        return (
            self.retention if size <= self.room else min(self.retention, reach * self.room // size)
        )

    def select(self, matchers: Iterable[Matcher]) -> list[Series]:
        """The series that satisfy all matchers, in the order of their labels."""
        wanted = tuple(matchers)
        if wanted not in self._selected:
            if len(self._selected) >= _REMEMBERED:
                self._selected.clear()
            self._selected[wanted] = self._search(wanted)
        return self._selected[wanted]

    def _search(self, wanted: tuple[Matcher, ...]) -> list[Series]:
        exact = next((m.value for m in wanted if m.name == METRIC_NAME and m.kind == "="), None)
        names = [exact] if exact is not None else list(self._by_name)
        rest = [m for m in wanted if exact is None or m.name != METRIC_NAME or m.kind != "="]
        if exact is not None:
            rest += [m for m in wanted if m.name == METRIC_NAME and m.value != exact]
        found = [
            series
            for name in names
            for labels, lines in self._by_name.get(name, {}).items()
            if _satisfies(labels, rest)
            for series in lines
        ]
        return sorted(found, key=lambda series: series.labels)

    def label_names(self, matchers: Iterable[Matcher] = ()) -> list[str]:
        return sorted({name for series in self.select(matchers) for name, _ in series.labels})

    def label_values(self, name: str, matchers: Iterable[Matcher] = ()) -> list[str]:
        return sorted({v for s in self.select(matchers) for n, v in s.labels if n == name})

    def _all(self) -> Iterator[Series]:
        for by_labels in self._by_name.values():
            for lines in by_labels.values():
                yield from lines


def _satisfies(labels: Labels, matchers: list[Matcher]) -> bool:
    values = dict(labels)
    return all(matcher.matches(values.get(matcher.name, "")) for matcher in matchers)
