"""Panels of a dashboard's definition: lines, heat-maps, numbers and tables, and a whole board of them."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass

from meshcourse.observe import boards
from meshcourse.observe.prometheus import Matrix, Series, Vector
from meshcourse.widgets import heatmap, svg, timeseries
from meshcourse.widgets.picture import Picture, Table

#: Grafana's units: what a value is multiplied by, and what is written behind it.
_UNITS = {
    "reqps": (1.0, "/s"), "ops": (1.0, "/s"), "percentunit": (100.0, " %"), "percent": (1.0, " %"),
    "ms": (1.0, " ms"), "s": (1.0, " s"), "bytes": (1.0, " B"), "decbytes": (1.0, " B"), "Bps": (1.0, " B/s"),
}  # fmt: skip
_NAME = "__shown__"
Shown = Picture | Table


def lines(panel: boards.Panel, answers: Sequence[Matrix]) -> timeseries.Panel:
    """All queries of a panel over time in one picture, named as the definition says."""
    factor, unit = _UNITS.get(panel.unit, (1.0, ""))
    series = tuple(
        Series(
            {_NAME: boards.legend(target.legend, each.labels)},
            each.times,
            tuple(value * factor for value in each.values),
        )
        for target, answer in zip(panel.targets, answers, strict=True)
        for each in answer
    )
    whole = Matrix(panel.title, answers[0].start, answers[0].end, series)
    return timeseries.draw(whole, title=panel.title, unit=unit, legend=lambda labels: labels[_NAME])


def heat(panel: boards.Panel, answers: Sequence[Matrix]) -> heatmap.Heatmap:
    """The buckets of a panel's first query."""
    return heatmap.draw(answers[0], title=panel.title, unit=_UNITS.get(panel.unit, (1.0, ""))[1])


def number(panel: boards.Panel, answers: Sequence[Vector]) -> Picture:
    """The value of a panel's first query, large."""
    factor, unit = _UNITS.get(panel.unit, (1.0, ""))
    value = answers[0].samples[0].value * factor if answers[0].samples else math.nan
    text = f"{_figures(value)}{unit}" if math.isfinite(value) else "no data: send some traffic"
    size = 34 if math.isfinite(value) else 14
    parts = (
        svg.text(10, 20, panel.title, anchor="start", size=13, fill=svg.LINE),
        svg.text(10, 62, text, anchor="start", size=size, weight="bold"),
    )
    return Picture(svg.page(300, 80, *parts, title=panel.title), f"{panel.title}: {text}")


def table(panel: boards.Panel, answers: Sequence[Vector]) -> Table:
    """A row for each set of labels, a column for each query."""
    names = sorted({name for answer in answers for each in answer for name in each.labels})
    rows: dict[tuple[str, ...], list[str]] = {}
    for column, answer in enumerate(answers):
        for each in answer:
            key = tuple(each.labels.get(name, "") for name in names)
            rows.setdefault(key, [""] * len(answers))[column] = _figures(each.value)
    head = [name.replace("_", " ") for name in names] + [each.legend for each in panel.targets]
    found = [(*key, *values) for key, values in sorted(rows.items())]
    return Table(head, found) if found else Table((panel.title,), [("no data: send some traffic",)])


def _figures(value: float) -> str:
    if not math.isfinite(value):
        return "-"
    return f"{value:.0f}" if value == int(value) else f"{value:.3g}"


@dataclass(frozen=True)
class Sheet:
    """A whole dashboard: its panels side by side, as wide as their definition says."""

    title: str
    panels: Sequence[tuple[boards.Panel, Shown]]

    def _repr_html_(self) -> str:
        cells = "".join(_cell(panel, shown) for panel, shown in self.panels)
        grid = "display:grid;grid-template-columns:repeat(24,minmax(0,1fr));gap:10px"
        title = html.escape(self.title)
        return f"<div style='font:13px system-ui,sans-serif'><b>{title}</b><div style='{grid}'>{cells}</div></div>"

    def __repr__(self) -> str:
        return "\n\n".join([self.title, *(_said(panel, shown) for panel, shown in self.panels)])


def _cell(panel: boards.Panel, shown: Shown) -> str:
    inside = shown._repr_html_() if isinstance(shown, Table) else _fluid(shown.svg)
    heading = "" if panel.kind == "stat" else f"<div>{html.escape(panel.title)}</div>"
    return f"<div style='grid-column:span {panel.width};overflow:auto'>{heading}{inside}</div>"


def _fluid(picture: str) -> str:
    """As wide as its cell at most."""
    return picture.replace("<svg ", "<svg style='max-width:100%;height:auto' ", 1)


def _said(panel: boards.Panel, shown: Shown) -> str:
    return f"{panel.title}\n{shown!r}" if isinstance(shown, Table) else repr(shown)


def draw(panel: boards.Panel, answers: boards.Answers) -> Shown:
    """A panel as its kind says."""
    if panel.kind == "stat":
        return number(panel, answers.now)
    if panel.kind == "table":
        return table(panel, answers.now)
    return (heat if panel.kind == "heatmap" else lines)(panel, answers.over_time)
