"""What selectors see: samples, look-back, windows, ``offset``, ``@`` and subqueries."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from meshcourse.embedded.addons.prometheus.matchers import Kind, Matcher
from meshcourse.embedded.addons.prometheus.promql import ranges
from meshcourse.embedded.addons.prometheus.promql.values import QueryError, Row, Vector
from meshcourse.embedded.addons.prometheus.tsdb import (
    METRIC_NAME,
    Database,
    Floats,
    Labels,
    Span,
    Times,
    stale,
)

#: How far back an instant selector looks for a sample, in milliseconds.
LOOKBACK = 300_000


@dataclass(frozen=True, slots=True)
class Context:
    """What an evaluation sees.

    :param steps: evaluation times in milliseconds, increasing.
    :param start: of the whole query, for ``@ start()``; `end` likewise.
    :param old: behave like Prometheus 2 where 3 differs (closed left edges, order of extrapolation).
    """

    database: Database
    steps: Times
    start: int
    end: int
    old: bool = False

    @property
    def count(self) -> int:
        return len(self.steps)


def _milliseconds(duration: dt.timedelta | None) -> int:
    return round(duration.total_seconds() * 1000) if duration is not None else 0


def _shifted(node: Any, context: Context) -> Times:
    """The times at which a selector looks, after ``@`` and ``offset``."""
    steps = context.steps
    if node.at is not None:
        at = {"Start": context.start, "End": context.end}.get(str(node.at.type).rpartition(".")[2])
        fixed = at if at is not None else round(node.at.at.timestamp() * 1000)
        steps = np.full_like(steps, fixed)
    return steps - _milliseconds(node.offset)


_KINDS: dict[str, Kind] = {"Equal": "=", "NotEqual": "!=", "Re": "=~", "NotRe": "!~"}


def matchers(selector: Any) -> list[Matcher]:
    """The matchers of a vector selector.

    :raises QueryError: for a bad regular expression or ``or`` between matchers.
    """
    if selector.matchers.or_matchers:
        raise QueryError('"or" between matchers is not supported', "bad_data")
    found = [Matcher(METRIC_NAME, "=", selector.name)] if selector.name else []
    try:
        return found + [
            Matcher(each.name, _KINDS[str(each.op).rpartition(".")[2]], each.value)
            for each in selector.matchers.matchers
        ]
    except ValueError as error:
        raise QueryError(f'invalid parameter "query": {error}', "bad_data") from error


def _samples(
    selector: Any, context: Context, start: int, end: int
) -> dict[Labels, tuple[Times, Floats]]:
    """Samples in (start, end] of every selected label set; a label set that moved between targets is one series."""
    found: dict[Labels, list[tuple[Times, Floats]]] = {}
    spans: dict[int, Span] = {}
    for series in context.database.select(matchers(selector)):
        line = series.timeline
        span = spans.get(id(line)) or spans.setdefault(id(line), line.span(start, end))
        times, values = series.within(span)
        if len(times):
            found.setdefault(series.labels, []).append((times, values))
    return {labels: _joined(parts) for labels, parts in found.items()}


def _joined(parts: list[tuple[Times, Floats]]) -> tuple[Times, Floats]:
    if len(parts) == 1:
        return parts[0]
    times = np.concatenate([times for times, _ in parts])
    order = np.argsort(times, kind="stable")
    return times[order], np.concatenate([values for _, values in parts])[order]


def latest(node: Any, context: Context) -> list[tuple[Row, Times]]:
    """For every series its latest sample within the look-back at each step, and when it was taken."""
    at = _shifted(node, context)
    edge = 1 if context.old else 0
    found = []
    for labels, (times, values) in _samples(
        node, context, int(at.min()) - LOOKBACK - edge, int(at.max())
    ).items():
        index = np.searchsorted(times, at, side="right") - 1
        safe = np.maximum(index, 0)
        present = (index >= 0) & (times[safe] > at - LOOKBACK - edge) & ~stale(values)[safe]
        if present.any():
            found.append((Row(labels, values[safe], present), times[safe]))
    return found


def select(node: Any, context: Context) -> Vector:
    return [row for row, _ in latest(node, context)]


def windows(
    node: Any, context: Context, vector_of: Callable[[Any, Context], Vector]
) -> list[tuple[Labels, ranges.Window]]:
    """The windows of a range selector or subquery, one per series."""
    length = _milliseconds(node.range)
    edge = 1 if context.old else 0
    if type(node).__name__ == "SubqueryExpr":
        at = _shifted(node, context)
        series = _subquery(node, context, at, length, vector_of)
    else:
        at = _shifted(node.vector_selector, context)
        start, end = int(at.min()) - length - edge, int(at.max())
        series = _samples(node.vector_selector, context, start, end)
    found = []
    edges: dict[int, tuple[Times, ranges.Indices, ranges.Indices]] = {}
    for labels, (times, values) in series.items():
        gone = stale(values)
        if gone.any():
            times, values = times[~gone], values[~gone]
        if id(times) not in edges:  # series of one target share their times
            first = np.searchsorted(times, at - length - edge, side="right")
            edges[id(times)] = times, first, np.searchsorted(times, at, side="right")
        _, first, last = edges[id(times)]
        if (last > first).any():
            window = ranges.Window(
                times, values, first, last, at - length, at, length / 1000.0, context.old
            )
            found.append((labels, window))
    return found


#: The step of a subquery that names none (Prometheus' default evaluation interval is 1 m; the add-on's is 15 s).
SUBQUERY_STEP = 60_000


def _subquery(
    node: Any,
    context: Context,
    at: Times,
    length: int,
    vector_of: Callable[[Any, Context], Vector],
) -> dict[Labels, tuple[Times, Floats]]:
    step = _milliseconds(node.step) or SUBQUERY_STEP
    start = int(at.min()) - length
    first = -(-start // step) * step  # aligned to multiples of the step
    if first == start and not context.old:
        first += step
    steps = np.arange(first, int(at.max()) + 1, step, dtype=np.int64)
    if not len(steps):
        return {}
    rows = vector_of(node.expr, replace(context, steps=steps))
    return {row.labels: (steps[row.present], row.values[row.present]) for row in rows}
