"""Lines over time from a range query."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from meshcourse.observe.prometheus import Matrix, Series
from meshcourse.widgets import svg
from meshcourse.widgets.picture import Picture

_COLOURS = ("#1f8f4e", "#2b5cb3", "#c98a1b", "#7b3f98", "#b23b3b", "#0f766e", "#7b8494", "#a34778")
_LEFT, _WIDTH, _HEIGHT = 64, 560, 200
#: More lines than this are not readable; the rest is counted in words.
MOST = 8


@dataclass(frozen=True, repr=False)
class Panel(Picture):
    """The picture, and the numbers behind it."""

    matrix: Matrix


def draw(
    matrix: Matrix,
    *,
    title: str = "",
    unit: str = "",
    legend: Callable[[dict[str, str]], str] | None = None,
) -> Panel:
    """The picture and the same in words.

    :param legend: a line's name from its labels; by default the values that differ between the lines.
    """
    drawn = [line for line in matrix.series if any(map(math.isfinite, line.values))]
    lines = sorted(drawn, key=_last, reverse=True)[:MOST]
    name = legend or _names(matrix)
    if not lines:
        named = f"{title}: " if title else ""
        empty = f"{named}no data in this time: send some traffic and look again"
        body = svg.text(_LEFT + _WIDTH / 2, _HEIGHT / 2, empty, fill=svg.LINE)
        return Panel(svg.page(_LEFT + _WIDTH + 40, _HEIGHT + 30, body, title=title), empty, matrix)
    top = _round_up(max(value for line in lines for value in line.values if math.isfinite(value)))
    parts = [_grid(matrix, top, unit)]
    parts += [_line(line, matrix, top, _COLOURS[i % len(_COLOURS)]) for i, line in enumerate(lines)]
    parts += [
        _key(i, name(line.labels), _last(line), unit, _COLOURS[i % len(_COLOURS)])
        for i, line in enumerate(lines)
    ]
    height = _HEIGHT + 40 + 18 * len(lines)
    words = [f"{title or matrix.query} ({matrix.end - matrix.start:.0f} s)"]
    words += [f"  {name(line.labels)}: last {_number(_last(line))}{unit}" for line in lines]
    if len(drawn) > MOST:
        words.append(f"  and {len(drawn) - MOST} more")
    picture = svg.page(_LEFT + _WIDTH + 40, height, *parts, title=title)
    return Panel(picture, "\n".join(words), matrix)


def _last(line: Series) -> float:
    return line.values[-1] if line.values and math.isfinite(line.values[-1]) else 0.0


def _names(matrix: Matrix) -> Callable[[dict[str, str]], str]:
    """Name lines by the labels in which they differ."""
    every = {key for line in matrix.series for key in line.labels}
    differing = [
        key for key in sorted(every) if len({line.labels.get(key) for line in matrix.series}) > 1
    ]

    def name(labels: dict[str, str]) -> str:
        return ", ".join(labels.get(key, "-") for key in differing) or matrix.query[:60]

    return name


def _round_up(value: float) -> float:
    if value <= 0:
        return 1.0
    scale = 10.0 ** math.floor(math.log10(value))
    return next(step * scale for step in (1, 2, 2.5, 5, 10) if step * scale >= value)


def _number(value: float) -> str:
    return f"{value:.0f}" if value == int(value) else f"{value:.3g}"


def _x(at: float, matrix: Matrix) -> float:
    return _LEFT + (at - matrix.start) / (matrix.end - matrix.start) * _WIDTH


def _y(value: float, top: float) -> float:
    return _HEIGHT - max(0.0, value) / top * (_HEIGHT - 12)


def _grid(matrix: Matrix, top: float, unit: str) -> str:
    parts = []
    for quarter in range(5):
        y = _y(top * quarter / 4, top)
        parts.append(svg.line(_LEFT, y, _LEFT + _WIDTH, y, stroke=svg.FAINT))
        label = f"{_number(top * quarter / 4)}{unit}"
        parts.append(svg.text(_LEFT - 6, y + 4, label, size=10, anchor="end", fill=svg.LINE))
        at = matrix.start + (matrix.end - matrix.start) * quarter / 4
        clock = dt.datetime.fromtimestamp(at).strftime("%H:%M:%S")
        parts.append(svg.text(_x(at, matrix), _HEIGHT + 16, clock, size=10, fill=svg.LINE))
    return "".join(parts)


def _line(line: Series, matrix: Matrix, top: float, colour: str) -> str:
    points: Sequence[tuple[float, float]] = [
        (_x(at, matrix), _y(value, top))
        for at, value in zip(line.times, line.values, strict=True)
        if math.isfinite(value)
    ]
    if len(points) == 1:
        (x, y) = points[0]
        return f"<circle cx='{x:.1f}' cy='{y:.1f}' r='3' fill='{colour}'/>"
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f"<polyline points='{path}' fill='none' stroke='{colour}' stroke-width='2'/>"


def _key(number: int, name: str, last: float, unit: str, colour: str) -> str:
    y = _HEIGHT + 40 + number * 18
    return svg.box(_LEFT, y - 8, 14, 5, fill=colour, stroke=colour) + svg.text(
        _LEFT + 22, y, f"{svg.shorten(name, 70)}: {_number(last)}{unit}", size=11, anchor="start"
    )
