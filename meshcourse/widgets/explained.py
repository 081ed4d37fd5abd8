"""An explanation of a request as a page: a column of stations, and the verdict."""

from __future__ import annotations

import html
from dataclasses import dataclass

from meshcourse.explain.result import Explanation, Station

_GOOD, _BAD = "#1b7f4d", "#b3261e"


@dataclass(frozen=True)
class View:
    """An explanation, with a form for notebooks. Everything the explanation has is here, too."""

    explanation: Explanation

    def __getattr__(self, name: str) -> object:
        return getattr(self.explanation, name)

    def _repr_html_(self) -> str:
        found = self.explanation
        colour = _GOOD if found.ok else _BAD
        stations = "".join(map(_station, found.stations))
        hints = "".join(f"<li>{html.escape(one)}</li>" for one in found.hints)
        mark = "→" if found.ok else "✗"
        return (
            f"<div><p><b>{html.escape(found.question)}</b></p>{stations}"
            f"<p style='color:{colour}'><b>{mark} {html.escape(found.verdict)}</b></p>"
            f"<ul>{hints}</ul></div>"
        )

    def __repr__(self) -> str:
        return repr(self.explanation)


def _station(one: Station) -> str:
    rows = "".join(
        f"<tr>{_cell(step.kind)}{_cell(step.name)}{_cell(step.detail)}</tr>"
        for step in one.outcome.steps
    )
    return f"<p>{html.escape(one.where)}</p><table>{rows}</table>"


def _cell(text: str) -> str:
    return f"<td style='text-align:left'>{html.escape(text)}</td>"


def draw(found: Explanation) -> View:
    """The view of an explanation."""
    return View(found)
