"""Evaluates a parsed expression for all steps of a query. The grammar and its type checks are promql-parser's.

Supported: everything the mesh's dashboards and Kiali ask, and more; what is not supported raises `QueryError` that
names it (see `UNSUPPORTED`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import numpy as np
import promql_parser as grammar

from meshcourse.embedded.addons.prometheus.promql import (
    aggregate,
    binary,
    functions,
    histogram,
    ranges,
    selectors,
)
from meshcourse.embedded.addons.prometheus.promql.selectors import Context
from meshcourse.embedded.addons.prometheus.promql.values import (
    QueryError,
    Row,
    Scalar,
    Value,
    Vector,
    mapped,
    merged,
    without_name,
)
from meshcourse.embedded.addons.prometheus.tsdb import (
    METRIC_NAME,
    Database,
    Labels,
    make_labels,
)

#: Steps of one range query (Prometheus' own limit).
MAX_STEPS = 11_000
#: Shown in the documentation and to whoever uses one of them.
UNSUPPORTED = (
    "count_values, limitk, limit_ratio",
    "native histograms (histogram_count, histogram_sum, histogram_fraction, histogram_avg …)",
    "holt_winters / double_exponential_smoothing, predict_linear, quantile_over_time, mad_over_time",
    "days_in_month, day_of_year, sort_by_label, hyperbolic functions",
    "group modifiers fill_left and fill_right",
)


def instant(database: Database, query: str, time: int, *, old: bool = False) -> Value:
    """Evaluate at one time (milliseconds). :raises QueryError:"""
    steps = np.array([time], dtype=np.int64)
    with np.errstate(all="ignore"):
        return evaluate(_parse(query), Context(database, steps, time, time, old))


def over(
    database: Database, query: str, start: int, end: int, step: int, *, old: bool = False
) -> Vector:
    """Evaluate at start, start+step … ≤ end (milliseconds). :raises QueryError:"""
    if step <= 0:
        raise QueryError(
            'invalid parameter "step": zero or negative query resolution step widths are not accepted. '
            "Try a positive integer",
            "bad_data",
        )
    if end < start:
        raise QueryError(
            'invalid parameter "end": end timestamp must not be before start time', "bad_data"
        )
    if (end - start) // step > MAX_STEPS:
        raise QueryError(
            "exceeded maximum resolution of 11,000 points per timeseries. "
            "Try decreasing the query resolution (?step=XX)",
            "bad_data",
        )
    steps = np.arange(start, end + 1, step, dtype=np.int64)
    with np.errstate(all="ignore"):
        value = evaluate(_parse(query), Context(database, steps, start, end, old))
    if isinstance(value, str):
        raise QueryError(
            'invalid expression type "string" for range query, must be Scalar or instant Vector',
            "bad_data",
        )
    return functions.of_scalar(value) if isinstance(value, np.ndarray) else value


def _parse(query: str) -> Any:
    try:
        return grammar.parse(query)
    except ValueError as error:
        raise QueryError(f'invalid parameter "query": parse error: {error}', "bad_data") from error


def evaluate(node: Any, context: Context) -> Value:
    """The value of an expression node."""
    handler = _NODES.get(type(node).__name__)
    if handler is None:
        raise QueryError(f"unsupported expression {type(node).__name__}", "bad_data")
    return handler(node, context)


def vector_of(node: Any, context: Context) -> Vector:
    value = evaluate(node, context)
    if not isinstance(value, list):
        raise QueryError("expected an instant vector", "bad_data")
    return value


def scalar_of(node: Any, context: Context) -> Scalar:
    value = evaluate(node, context)
    if not isinstance(value, np.ndarray):
        raise QueryError("expected a scalar", "bad_data")
    return value


def _number(node: Any, context: Context) -> Scalar:
    return np.full(context.count, float(node.val))


def _negated(node: Any, context: Context) -> Value:
    value = evaluate(node.expr, context)
    if isinstance(value, np.ndarray):
        return -value
    return mapped(value, np.negative) if isinstance(value, list) else value


def _aggregation(node: Any, context: Context) -> Value:
    """An aggregation; the quantiles of a panel aggregate the same buckets, so the result is kept for a moment."""
    memo, key = (
        context.database.memo,
        (str(node), context.steps.tobytes(), context.start, context.end, context.old),
    )
    if key not in memo:
        memo[key] = _aggregated(node, context)
    return cast(Vector, memo[key])


def _aggregated(node: Any, context: Context) -> Vector:
    modifier = node.modifier
    labels = list(modifier.labels) if modifier is not None else []
    without = modifier is not None and str(modifier.type).endswith("Without")
    operator = _operator(node.op)
    if operator not in aggregate.OPERATORS:
        raise QueryError(f'aggregation operator "{operator}" is not supported here', "bad_data")
    param = scalar_of(node.param, context) if node.param is not None else None
    vector = vector_of(node.expr, context)
    return aggregate.aggregate(
        operator, vector, labels, without=without, param=param, old=context.old
    )


def _operator(token: Any) -> str:
    return str(token).strip().lower()


def _binary(node: Any, context: Context) -> Value:
    operator = _operator(node.op)
    left, right = evaluate(node.lhs, context), evaluate(node.rhs, context)
    matching = _matching(node.modifier)
    if isinstance(left, np.ndarray) and isinstance(right, np.ndarray):
        return binary.scalars(operator, left, right)
    bool_result = matching.bool_result
    if isinstance(left, list) and isinstance(right, np.ndarray):
        return binary.with_scalar(operator, left, right, swapped=False, bool_result=bool_result)
    if isinstance(left, np.ndarray) and isinstance(right, list):
        return binary.with_scalar(operator, right, left, swapped=True, bool_result=bool_result)
    if not isinstance(left, list) or not isinstance(right, list):
        raise QueryError(
            "binary expression must contain only scalar and instant vector types", "bad_data"
        )
    if operator in binary.SETS:
        return binary.sets(operator, left, right, matching)
    return binary.vectors(operator, left, right, matching)


def _matching(modifier: Any) -> binary.Matching:
    if modifier is None:
        return binary.Matching()
    if modifier.fill_values.lhs is not None or modifier.fill_values.rhs is not None:
        raise QueryError("fill modifiers are not supported", "bad_data")
    card = str(modifier.card).rpartition(".")[2]
    return binary.Matching(
        on=modifier.matching is not None and str(modifier.matching.type).endswith("Include"),
        labels=tuple(modifier.matching.labels) if modifier.matching is not None else (),
        many={"ManyToOne": "left", "OneToMany": "right"}.get(card, ""),
        include=tuple(modifier.group_labels or ()),
        bool_result=bool(modifier.return_bool),
    )


def _call(node: Any, context: Context) -> Value:
    name, args = str(node.func.name), list(node.args)
    if name in ranges.FUNCTIONS:
        return _range_call(name, args[0], context)
    if name in functions.ELEMENTWISE:
        return mapped(vector_of(args[0], context), functions.ELEMENTWISE[name])
    if name in functions.CALENDAR:
        given = vector_of(args[0], context) if args else functions.of_scalar(context.steps / 1000.0)
        return mapped(given, functions.CALENDAR[name])
    handler = _CALLS.get(name)
    if handler is None:
        raise QueryError(f'function "{name}" is not supported here', "bad_data")
    return handler(args, context)


def _range_call(name: str, argument: Any, context: Context) -> Vector:
    found = selectors.windows(argument, context, vector_of)
    function, together = ranges.FUNCTIONS[name], name in ranges.TOGETHER
    rows = []
    for members in _batches([window for _, window in found], together=together):
        first = found[members[0]][1]
        if len(members) == 1:
            results, present = function(first)
            each_ones = [results]
        else:
            stacked = np.stack([found[member][1].values for member in members])
            each_ones, present = function(replace(first, values=stacked))  # type: ignore[assignment]
        if present.any():
            kept = (found[member][0] for member in members)
            named = (
                labels if name == "last_over_time" else without_name(labels) for labels in kept
            )
            rows += [Row(*each, present) for each in zip(named, each_ones, strict=True)]
    return merged(rows)


def _batches(windows: list[ranges.Window], *, together: bool) -> list[list[int]]:
    """Which windows (by their places) a function takes at once."""
    if not together:
        return [[place] for place in range(len(windows))]
    found: dict[int, list[int]] = {}
    for place, window in enumerate(windows):
        found.setdefault(id(window.first), []).append(place)
    return list(found.values())


def _text(node: Any) -> str:
    return str(node.val)


def _absent(args: list[Any], context: Context) -> Vector:
    labels: Labels = ()
    if type(args[0]).__name__ == "VectorSelector":
        equal = [m for m in selectors.matchers(args[0]) if m.kind == "=" and m.name != METRIC_NAME]
        names = [m.name for m in equal]
        labels = make_labels({m.name: m.value for m in equal if names.count(m.name) == 1})
    return functions.absent(vector_of(args[0], context), labels, context.count)


def _timestamp(args: list[Any], context: Context) -> Vector:
    if type(args[0]).__name__ == "VectorSelector":
        return functions.timestamps(selectors.latest(args[0], context))
    return mapped(vector_of(args[0], context), lambda values: context.steps / 1000.0)


def _round(args: list[Any], context: Context) -> Vector:
    nearest = scalar_of(args[1], context) if len(args) > 1 else np.ones(context.count)
    return functions.rounded(vector_of(args[0], context), nearest)


def _clamp(low: int | None, high: int | None) -> Callable[[list[Any], Context], Value]:
    def apply(args: list[Any], context: Context) -> Value:
        least = scalar_of(args[low], context) if low else np.full(context.count, -np.inf)
        most = scalar_of(args[high], context) if high else np.full(context.count, np.inf)
        return functions.clamp(vector_of(args[0], context), least, most)

    return apply


_CALLS: dict[str, Callable[[list[Any], Context], Value]] = {
    "time": lambda args, context: context.steps / 1000.0,
    "pi": lambda args, context: np.full(context.count, np.pi),
    "vector": lambda args, context: functions.of_scalar(scalar_of(args[0], context)),
    "scalar": lambda args, context: functions.scalar(vector_of(args[0], context), context.count),
    "absent": _absent,
    "timestamp": _timestamp,
    "round": _round,
    "clamp": _clamp(1, 2),
    "clamp_min": _clamp(1, None),
    "clamp_max": _clamp(None, 1),
    "sort": lambda args, context: functions.ordered(vector_of(args[0], context), descending=False),
    "sort_desc": lambda args, context: functions.ordered(
        vector_of(args[0], context), descending=True
    ),
    "histogram_quantile": lambda args, context: histogram.histogram_quantile(
        scalar_of(args[0], context), vector_of(args[1], context)
    ),
    "label_replace": lambda args, context: functions.label_replace(
        vector_of(args[0], context), *(_text(each) for each in args[1:5])
    ),
    "label_join": lambda args, context: functions.label_join(
        vector_of(args[0], context),
        _text(args[1]),
        _text(args[2]),
        [_text(each) for each in args[3:]],
    ),
}

_NODES: dict[str, Callable[[Any, Context], Value]] = {
    "NumberLiteral": _number,
    "StringLiteral": lambda node, context: str(node.val),
    "ParenExpr": lambda node, context: evaluate(node.expr, context),
    "UnaryExpr": _negated,
    "VectorSelector": selectors.select,
    "MatrixSelector": lambda node, context: selectors.select(node.vector_selector, context),
    "AggregateExpr": _aggregation,
    "BinaryExpr": _binary,
    "Call": _call,
}
