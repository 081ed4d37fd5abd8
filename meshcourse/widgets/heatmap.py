"""Histogram buckets over time: a column for each moment, a row for each bucket, darker where more requests fell."""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass

from meshcourse.observe.prometheus import Matrix
from meshcourse.widgets import svg
from meshcourse.widgets.picture import Picture

_LEFT, _WIDTH, _HEIGHT = 78, 560, 200
_COLOUR = "#c98a1b"


@dataclass(frozen=True, repr=False)
class Heatmap(Picture):
    """The picture, and the numbers behind it: `counts[bucket][moment]`, not cumulative."""

    bounds: tuple[float, ...]
    times: tuple[float, ...]
    counts: tuple[tuple[float, ...], ...]


def draw(matrix: Matrix, *, title: str = "", unit: str = "") -> Heatmap:
    """The picture and the same in words.

    :param matrix: series that differ in ``le`` only, as ``sum by (le) (increase(…_bucket[1m]))`` gives them.
    """
    bounds, times, counts = buckets(matrix)
    most = max((value for row in counts for value in row), default=0.0)
    if not most:
        named = f"{title}: " if title else ""
        empty = f"{named}no data in this time: send some traffic and look again"
        body = svg.text(_LEFT + _WIDTH / 2, _HEIGHT / 2, empty, fill=svg.LINE)
        picture = svg.page(_LEFT + _WIDTH + 34, _HEIGHT + 30, body, title=title)
        return Heatmap(picture, empty, bounds, times, counts)
    used = [index for index, row in enumerate(counts) if any(row)]
    rows = range(min(used), max(used) + 1)
    height = (_HEIGHT - 8) / len(rows)
    parts = [
        _row(counts[row], _HEIGHT - (place + 1) * height, height, most, _between(bounds, row, unit))
        for place, row in enumerate(rows)
    ]
    parts += [
        svg.text(_LEFT - 6, _HEIGHT - (place + 1) * height + 4, _bound(bounds[row], unit), size=10, anchor="end")
        for place, row in enumerate(rows)
    ]  # fmt: skip
    parts += _clock(times)
    picture = svg.page(_LEFT + _WIDTH + 34, _HEIGHT + 26, *parts, title=title)
    return Heatmap(picture, _words(title, bounds, counts, unit), bounds, times, counts)


def buckets(
    matrix: Matrix,
) -> tuple[tuple[float, ...], tuple[float, ...], tuple[tuple[float, ...], ...]]:
    """Upper bounds, moments, and how much fell into each bucket: what is counted up to a bound less what is below."""
    lines = sorted(matrix.series, key=lambda line: float(line.labels.get("le", "inf")))
    times = tuple(sorted({at for line in lines for at in line.times}))
    found, below = [], dict.fromkeys(times, 0.0)
    for line in lines:
        upto = {at: v for at, v in zip(line.times, line.values, strict=True) if math.isfinite(v)}
        found.append(tuple(max(0.0, upto.get(at, below[at]) - below[at]) for at in times))
        below |= upto
    return tuple(float(line.labels.get("le", "inf")) for line in lines), times, tuple(found)


def _row(counts: tuple[float, ...], y: float, height: float, most: float, what: str) -> str:
    width, shape = (
        _WIDTH / len(counts),
        f"height='{height:.1f}' fill='{_COLOUR}' shape-rendering='crispEdges'",
    )
    cells = [
        f"<rect x='{_LEFT + i * width:.2f}' y='{y:.1f}' width='{width:.2f}' {shape} "
        f"opacity='{0.12 + 0.88 * math.sqrt(count / most):.2f}'><title>{what}: {count:.3g}</title></rect>"
        for i, count in enumerate(counts)
        if count > 0
    ]
    return "".join(cells)


def _clock(times: tuple[float, ...]) -> list[str]:
    first, last = times[0], times[-1]
    parts = []
    for quarter in range(5):
        clock = dt.datetime.fromtimestamp(first + (last - first) * quarter / 4).strftime("%H:%M:%S")
        x = _LEFT + quarter / 4 * _WIDTH
        parts.append(svg.text(x, _HEIGHT + 16, clock, size=10, fill=svg.LINE))
    return parts


def _bound(bound: float, unit: str) -> str:
    return "∞" if math.isinf(bound) else f"{bound:g}{unit}"


def _between(bounds: tuple[float, ...], row: int, unit: str) -> str:
    lower = _bound(bounds[row - 1], unit) if row else "0"
    return f"{lower} to {_bound(bounds[row], unit)}"


def _words(
    title: str, bounds: tuple[float, ...], counts: tuple[tuple[float, ...], ...], unit: str
) -> str:
    total = sum(map(sum, counts))
    lines = [title or "buckets over time"]
    for row, each in enumerate(counts):
        if any(each):
            lines.append(f"  {_between(bounds, row, unit)}: {sum(each) / total:.1%}")
    return "\n".join(lines)
