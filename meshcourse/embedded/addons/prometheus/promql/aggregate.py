"""Aggregation operators. Source: prometheus.io "Aggregation operators"."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from meshcourse.embedded.addons.prometheus.promql.values import (
    Mask,
    Row,
    Scalar,
    Vector,
    drop,
    keep,
)
from meshcourse.embedded.addons.prometheus.tsdb import Floats, Labels

#: values and presence of one group, both of shape (rows, T)
Matrix = NDArray[np.float64]
Masks = NDArray[np.bool_]


def grouped(vector: Vector, labels: Sequence[str], *, without: bool) -> dict[Labels, list[Row]]:
    """Rows by the labels they are aggregated to."""
    groups: dict[Labels, list[Row]] = {}
    for row in vector:
        target = drop(row.labels, labels) if without else keep(row.labels, labels)
        groups.setdefault(target, []).append(row)
    return groups


def _sum(values: Matrix, present: Masks) -> Floats:
    result: Floats = np.where(present, values, 0.0).sum(axis=0)
    return result


def _count(values: Matrix, present: Masks) -> Floats:
    result: Floats = present.sum(axis=0).astype(float)
    return result


def _average(values: Matrix, present: Masks) -> Floats:
    result: Floats = _sum(values, present) / _count(values, present)
    return result


def _extreme(
    worst: float, choose: Callable[[Matrix, Matrix], Floats]
) -> Callable[[Matrix, Masks], Floats]:
    def apply(values: Matrix, present: Masks) -> Floats:
        known = present & ~np.isnan(values)
        result: Floats = np.full(values.shape[1], worst)
        for row, use in zip(values, known, strict=True):
            result = np.where(use, choose(result, row), result)
        return np.where(known.any(axis=0), result, np.nan)

    return apply


def _variance(values: Matrix, present: Masks) -> Floats:
    """Population variance; a group with a value that is not finite has none."""
    mean = _average(values, present)
    result: Floats = np.where(present, (values - mean) ** 2, 0.0).sum(axis=0)
    return result / _count(values, present)


def _variance_2(values: Matrix, present: Masks) -> Floats:
    """Prometheus 2 went value by value from a variance of 0, so that a single infinite value has variance 0."""
    steps = values.shape[1]
    count, mean, spread = np.zeros(steps), np.zeros(steps), np.zeros(steps)
    for row, use in zip(values, present, strict=True):
        count = count + use
        change = row - mean
        first = use & (count == 1)
        mean = np.where(first, row, np.where(use, mean + change / count, mean))
        spread = np.where(use & ~first, spread + change * (row - mean), spread)
    return spread / count


Combine = Callable[[Matrix, Masks], Floats]

SIMPLE: dict[str, Combine] = {
    "sum": _sum,
    "count": _count,
    "avg": _average,
    "min": _extreme(np.inf, np.minimum),
    "max": _extreme(-np.inf, np.maximum),
    "stdvar": _variance,
    "stddev": lambda values, present: np.sqrt(_variance(values, present)),
    "group": lambda values, present: np.ones(values.shape[1]),
}


_OLD: dict[str, Combine] = {
    "stdvar": _variance_2,
    "stddev": lambda values, present: np.sqrt(_variance_2(values, present)),
}


OPERATORS = frozenset({*SIMPLE, "topk", "bottomk", "quantile"})


def simple(combine: Combine, groups: dict[Labels, list[Row]]) -> Vector:
    """One row per group."""
    result = []
    for labels, rows in groups.items():
        values = np.stack([row.values for row in rows])
        present = np.stack([row.present for row in rows])
        with np.errstate(all="ignore"):
            result.append(Row(labels, combine(values, present), np.any(present, axis=0)))
    return result


def best(operator: str, groups: dict[Labels, list[Row]], count: Scalar) -> Vector:
    """topk and bottomk: the rows keep their labels and are present only where they are among the best."""
    sign = -1.0 if operator == "topk" else 1.0
    result = []
    for rows in groups.values():
        ranked = np.stack([np.where(row.present, sign * row.values, np.nan) for row in rows])
        order = np.argsort(ranked, axis=0, kind="stable")  # NaN (absent) goes last
        places = np.argsort(order, axis=0, kind="stable")
        for row, place in zip(rows, places, strict=True):
            chosen: Mask = row.present & (place < count)
            if chosen.any():
                result.append(Row(row.labels, row.values, chosen))
    return result


def quantile(groups: dict[Labels, list[Row]], share: Scalar) -> Vector:
    result = []
    for labels, rows in groups.items():
        values = np.stack([row.values for row in rows])
        present = np.stack([row.present for row in rows])
        found = [_quantile(values[present[:, t], t], share[t]) for t in range(values.shape[1])]
        result.append(Row(labels, np.array(found), np.any(present, axis=0)))
    return result


def _quantile(values: Floats, share: float) -> float:
    """Linear interpolation between neighbours; NaN counts as the smallest value."""
    if len(values) == 0 or np.isnan(share):
        return float("nan")
    if share < 0 or share > 1:
        return float("-inf") if share < 0 else float("inf")
    unknown = np.isnan(values)
    ranked = np.concatenate((values[unknown], np.sort(values[~unknown])))
    rank = share * (len(ranked) - 1)
    lower = int(rank)
    upper = min(lower + 1, len(ranked) - 1)
    weight = rank - lower
    return float(ranked[lower] * (1 - weight) + ranked[upper] * weight)


def aggregate(
    operator: str,
    vector: Vector,
    labels: Sequence[str],
    *,
    without: bool,
    param: Scalar | None,
    old: bool,
) -> Vector:
    """Apply an aggregation operator by name.

    :param old: the variance of Prometheus 2.

    :param operator: one of `OPERATORS`; those with a parameter need `param`.
    """
    groups = grouped(vector, labels, without=without)
    if operator in SIMPLE:
        chosen = _OLD.get(operator, SIMPLE[operator]) if old else SIMPLE[operator]
        return simple(chosen, groups)
    assert param is not None  # the grammar demands it
    return quantile(groups, param) if operator == "quantile" else best(operator, groups, param)
