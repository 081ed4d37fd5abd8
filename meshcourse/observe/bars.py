"""Shares as horizontal bars with their intervals, in inline SVG that a saved notebook keeps. Pure."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass

from meshcourse.observe import stats

_COLOURS = {"v1": "#5b7db1", "v2": "#3c3c3c", "v3": "#c0392b", "200": "#4a9d5b"}
_OTHERS = ("#5b7db1", "#d08c2e", "#7a5ca8", "#4a9d8f", "#8a6d5a")
_FAILED = "#b23b3b"
_LEFT, _WIDTH, _ROW = 110, 360, 26
#: Pixels that a letter of a label takes at most, on average.
_LETTER = 6.8


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar: its label, how often, the interval of its share, and (as a line across) the share that was wanted."""

    label: str
    count: int
    interval: stats.Interval
    wanted: float | None = None


def panel(headline: str, rows: Sequence[Bar], notes: Sequence[str] = ()) -> str:
    """A headline, the bars, and notes below, as HTML."""
    lines = "".join(f"<div style='color:#a33'>{html.escape(note)}</div>" for note in notes)
    return (
        "<div style='font:13px system-ui,sans-serif'>"
        f"<div style='margin-bottom:4px'>{html.escape(headline)}</div>{svg(rows)}{lines}</div>"
    )


def svg(rows: Sequence[Bar]) -> str:
    """The bars; the whisker on each is the interval of its share."""
    height = _ROW * len(rows) + 22
    body = "".join(_row(index, row) for index, row in enumerate(rows))
    longest = max((len(row.label) for row in rows), default=0)
    shift = max(0, round(longest * _LETTER) + 16 - _LEFT)  # so that no label is cut off
    return (
        f"<svg xmlns='http://www.w3.org/2000/svg' width='{shift + _LEFT + _WIDTH + 170}' height='{height}' "
        f"role='img' font-family='system-ui,sans-serif' font-size='12'>"
        f"<g transform='translate({shift} 0)'>{_axis(len(rows))}{body}</g></svg>"
    )


def _row(index: int, row: Bar) -> str:
    top = index * _ROW + 4
    middle = top + 9
    share = row.interval.share if row.interval.share == row.interval.share else 0.0
    low, high = _LEFT + row.interval.low * _WIDTH, _LEFT + row.interval.high * _WIDTH
    text, colour = f"{share:.1%}  ({row.count})", _colour(row.label, index)
    goal = "" if row.wanted is None else _goal(_LEFT + row.wanted * _WIDTH, top)
    label = html.escape(row.label)
    return (
        f"<text x='{_LEFT - 8}' y='{middle + 4}' text-anchor='end' fill='currentColor'>{label}</text>"
        f"<rect x='{_LEFT}' y='{top}' width='{share * _WIDTH:.1f}' height='18' rx='2' fill='{colour}'/>"
        f"<path d='M{low:.1f} {middle}H{high:.1f}M{low:.1f} {middle - 4}v8M{high:.1f} {middle - 4}v8' "
        f"stroke='#f2b134' stroke-width='2' fill='none'/>{goal}"
        f"<text x='{max(high, _LEFT + share * _WIDTH) + 8:.1f}' y='{middle + 4}' fill='currentColor'>{text}</text>"
    )


def _goal(x: float, top: int) -> str:
    return f"<path d='M{x:.1f} {top - 2}v22' stroke='#1f8f4e' stroke-width='3' fill='none'/>"


def _axis(rows: int) -> str:
    bottom = rows * _ROW + 4
    ticks = []
    for percent in (0, 25, 50, 75, 100):
        x = _LEFT + percent / 100 * _WIDTH
        ticks.append(
            f"<path d='M{x} 0V{bottom}' stroke='#999' stroke-opacity='.3'/>"
            f"<text x='{x}' y='{bottom + 14}' text-anchor='middle' fill='#888' font-size='10'>{percent} %</text>"
        )
    return "".join(ticks)


def _colour(label: str, index: int) -> str:
    if label == "no answer" or (label.isdigit() and int(label) >= 400):
        return _FAILED
    return _COLOURS.get(label, _OTHERS[index % len(_OTHERS)])
