"""A trace as a waterfall of spans: who called whom, when, and how long it took."""

from __future__ import annotations

import datetime as dt
import html
from collections.abc import Iterator
from dataclasses import dataclass

from meshcourse.observe.jaeger import Span, Trace
from meshcourse.widgets import svg
from meshcourse.widgets.picture import Picture, Table

_COLOURS = ("#2b8cae", "#c98a1b", "#1f8f4e", "#7b3f98", "#2b5cb3", "#a34778", "#5b6b7b")
_LEFT, _WIDTH, _ROW = 330, 380, 24


@dataclass(frozen=True, repr=False)
class Waterfall(Picture):
    """The picture, and the trace itself."""

    trace: Trace

    def details(self, span_id: str) -> Table | None:
        """The tags of a span; None if the trace has no such span."""
        found = [span for span in self.trace.spans if span.id == span_id]
        if not found:
            return None
        return Table((f"{found[0].service}: {found[0].name}", ""), sorted(found[0].tags.items()))

    def __len__(self) -> int:
        return len(self.trace)


@dataclass(frozen=True)
class Traces:
    """A list of traces, newest first."""

    found: tuple[Trace, ...]

    def __iter__(self) -> Iterator[Trace]:
        return iter(self.found)

    def __len__(self) -> int:
        return len(self.found)

    def __getitem__(self, index: int) -> Trace:
        return self.found[index]

    def __repr__(self) -> str:
        return "\n".join("  ".join(row) for row in self._rows()) or "no traces"

    def _repr_html_(self) -> str:
        if not self.found:
            return "<i>no traces</i>"
        head = "".join(f"<th style='text-align:left'>{cell}</th>" for cell in _HEAD)
        rows = "".join(
            f"<tr data-pick='{html.escape(row[1])}' tabindex='0'>"
            + "".join(f"<td style='text-align:left'>{html.escape(cell)}</td>" for cell in row)
            + "</tr>"
            for row in self._rows()
        )
        return f"<table><tr>{head}</tr>{rows}</table>"

    def _rows(self) -> list[tuple[str, ...]]:
        return [
            (
                dt.datetime.fromtimestamp(trace.start).strftime("%H:%M:%S"),
                trace.id,
                f"{len(trace)} spans",
                f"{trace.duration * 1000:.1f} ms",
                " → ".join(trace.services),
            )
            for trace in self.found
        ]


_HEAD = ("began", "trace", "spans", "took", "services")


def draw(trace: Trace) -> Waterfall:
    """The picture and the same in words."""
    colours = {name: _COLOURS[i % len(_COLOURS)] for i, name in enumerate(trace.services)}
    rows = [_row(i, span, depth, trace, colours) for i, (span, depth) in enumerate(trace.tree())]
    height = len(rows) * _ROW + 34
    title = f"trace {trace.id[-16:]}: {len(trace)} spans"
    picture = svg.page(_LEFT + _WIDTH + 90, height, _axis(trace, height), *rows, title=title)
    return Waterfall(picture, repr(trace), trace)


def _row(number: int, span: Span, depth: int, trace: Trace, colours: dict[str, str]) -> str:
    y = number * _ROW + 6
    length = max(trace.duration, 1e-9)
    x = _LEFT + (span.start - trace.start) / length * _WIDTH
    width = max(2.0, span.duration / length * _WIDTH)
    colour = svg.FAILED if span.failed else colours[span.service]
    indent = 4 + depth * 12
    service = svg.shorten(span.service.removesuffix(".default").removesuffix(".istio-system"), 24)
    plain = span.name.replace(".default.svc.cluster.local", "")
    name = svg.shorten(plain, 50 - depth * 2 - len(service))
    return svg.pickable(
        span.id,
        svg.text(indent, y + 13, service, anchor="start", weight="bold", fill=colour, size=11),
        svg.text(indent + 7 * len(service) + 6, y + 13, name, anchor="start", size=11),
        svg.box(x, y, width, 16, fill=colour, stroke=colour),
        svg.text(x + width + 5, y + 13, f"{span.duration * 1000:.1f} ms", anchor="start", size=10),
    )


def _axis(trace: Trace, height: float) -> str:
    parts = []
    for quarter in range(5):
        x = _LEFT + quarter / 4 * _WIDTH
        parts.append(svg.line(x, 0, x, height - 20, stroke=svg.FAINT))
        label = f"{trace.duration * 1000 * quarter / 4:.1f} ms"
        parts.append(svg.text(x, height - 6, label, size=10, fill=svg.LINE))
    return "".join(parts)
