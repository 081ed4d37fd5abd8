"""A trace as a waterfall of spans: who called whom, when, and how long it took."""

from __future__ import annotations

from meshcourse.observe.jaeger import Span, Trace
from meshcourse.widgets import svg
from meshcourse.widgets.picture import Picture

_COLOURS = ("#2b8cae", "#c98a1b", "#1f8f4e", "#7b3f98", "#2b5cb3", "#a34778", "#5b6b7b")
_LEFT, _WIDTH, _ROW = 330, 380, 24


def draw(trace: Trace) -> Picture:
    """The picture and the same in words."""
    colours = {name: _COLOURS[i % len(_COLOURS)] for i, name in enumerate(trace.services)}
    rows = [_row(i, span, depth, trace, colours) for i, (span, depth) in enumerate(trace.tree())]
    height = len(rows) * _ROW + 34
    title = f"trace {trace.id[-16:]}: {len(trace)} spans"
    return Picture(
        svg.page(_LEFT + _WIDTH + 90, height, _axis(trace, height), *rows, title=title), repr(trace)
    )


def _row(number: int, span: Span, depth: int, trace: Trace, colours: dict[str, str]) -> str:
    y = number * _ROW + 6
    length = max(trace.duration, 1e-9)
    x = _LEFT + (span.start - trace.start) / length * _WIDTH
    width = max(2.0, span.duration / length * _WIDTH)
    colour = svg.FAILED if span.failed else colours[span.service]
    indent = 4 + depth * 12
    service = svg.shorten(span.service.removesuffix(".default"), 26)
    name = svg.shorten(span.name, 44 - depth * 2 - len(service))
    return (
        svg.text(indent, y + 13, service, anchor="start", weight="bold", fill=colour, size=11)
        + svg.text(indent + 7 * len(service) + 6, y + 13, name, anchor="start", size=11)
        + svg.box(x, y, width, 16, fill=colour, stroke=colour)
        + svg.text(x + width + 5, y + 13, f"{span.duration * 1000:.1f} ms", anchor="start", size=10)
    )


def _axis(trace: Trace, height: float) -> str:
    parts = []
    for quarter in range(5):
        x = _LEFT + quarter / 4 * _WIDTH
        parts.append(svg.line(x, 0, x, height - 20, stroke=svg.FAINT))
        label = f"{trace.duration * 1000 * quarter / 4:.1f} ms"
        parts.append(svg.text(x, height - 6, label, size=10, fill=svg.LINE))
    return "".join(parts)
