"""A journey as a waterfall: a lane for every Envoy that saw the request, a bar for how long it was under way there."""

from __future__ import annotations

from meshcourse.observe.journey import Hop, Journey
from meshcourse.widgets import svg
from meshcourse.widgets.picture import Picture

_LEFT, _WIDTH, _ROW = 250, 420, 26


def draw(journey: Journey) -> Picture:
    """The picture and the same in words."""
    start = min(hop.entry.start for hop in journey.hops)
    end = max(hop.entry.start + hop.entry.duration / 1000 for hop in journey.hops)
    span = max(end - start, 0.001)
    height = len(journey.hops) * _ROW + 46
    parts = [_axis(span, height)]
    parts += [_row(number, hop, start, span) for number, hop in enumerate(journey.hops)]
    return Picture(
        svg.page(_LEFT + _WIDTH + 190, height, *parts, title="one request, Envoy by Envoy"),
        words(journey),
    )


def words(journey: Journey) -> str:
    """The hops, one a line."""
    first = min(hop.entry.start for hop in journey.hops)
    lines = [f"{journey.target} answered {journey.status}; seen by {len(journey.proxies)} Envoys"]
    for hop in journey.hops:
        entry = hop.entry
        after = (entry.start - first) * 1000
        lines.append(f"  +{after:4.0f} ms  {_who(hop):<34} {entry.code}  {entry.duration} ms")
    return "\n".join(lines)


def _who(hop: Hop) -> str:
    direction = "←" if hop.entry.inbound else f"→ {hop.entry.towards}"
    return f"{hop.app}'s Envoy {direction} {hop.entry.path}"


def _row(number: int, hop: Hop, start: float, span: float) -> str:
    entry, y = hop.entry, number * _ROW + 8
    x = _LEFT + (entry.start - start) / span * _WIDTH
    width = max(2.0, entry.duration / 1000 / span * _WIDTH)
    fill, stroke = svg.ENVOY if entry.inbound else (svg.OUT, svg.OUT)
    if entry.code >= 500:
        fill = stroke = svg.FAILED
    label = f"{'in ' if entry.inbound else 'out'}  {hop.app}"
    towards = f" → {entry.towards}" if entry.towards else ""
    return (
        svg.text(_LEFT - 10, y + 14, svg.shorten(label + towards, 38), anchor="end")
        + svg.box(x, y, width, 18, fill=fill, stroke=stroke)
        + svg.text(
            x + width + 6, y + 14, f"{entry.code} · {entry.duration} ms", anchor="start", size=11
        )
    )


def _axis(span: float, height: float) -> str:
    parts = []
    for quarter in range(5):
        x = _LEFT + quarter / 4 * _WIDTH
        parts.append(svg.line(x, 0, x, height - 36, stroke=svg.FAINT))
        label = f"{span * 1000 * quarter / 4:.0f} ms"
        parts.append(svg.text(x, height - 22, label, size=10, fill=svg.LINE))
    for x, (fill, stroke), words in (
        (_LEFT, svg.ENVOY, "coming into a pod"),
        (_LEFT + 140, (svg.OUT, svg.OUT), "going out of a pod"),
    ):
        parts.append(svg.box(x, height - 14, 10, 10, fill=fill, stroke=stroke))
        parts.append(svg.text(x + 16, height - 5, words, anchor="start", size=11))
    return "".join(parts)
