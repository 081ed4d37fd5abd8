"""Functions over instant vectors. Source: prometheus.io "Functions"."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable

import numpy as np

from meshcourse.embedded.addons.prometheus.promql.values import (
    QueryError,
    Row,
    Scalar,
    Vector,
    mapped,
    merged,
)
from meshcourse.embedded.addons.prometheus.tsdb import (
    METRIC_NAME,
    Floats,
    Labels,
    Times,
    make_labels,
)

_LABEL_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")

#: Functions of one vector that change each value by itself.
ELEMENTWISE: dict[str, Callable[[Floats], Floats]] = {
    "abs": np.abs,
    "ceil": np.ceil,
    "floor": np.floor,
    "exp": np.exp,
    "sqrt": np.sqrt,
    "ln": np.log,
    "log2": np.log2,
    "log10": np.log10,
    "sgn": np.sign,
    "sin": np.sin,
    "cos": np.cos,
    "tan": np.tan,
    "deg": np.degrees,
    "rad": np.radians,
}


def _utc(function: Callable[[dt.datetime], float]) -> Callable[[Floats], Floats]:
    def apply(seconds: Floats) -> Floats:
        return np.array([function(dt.datetime.fromtimestamp(each, dt.UTC)) for each in seconds])

    return apply


#: Functions of time; without an argument they look at the evaluation time.
CALENDAR: dict[str, Callable[[Floats], Floats]] = {
    "minute": _utc(lambda when: float(when.minute)),
    "hour": _utc(lambda when: float(when.hour)),
    "day_of_month": _utc(lambda when: float(when.day)),
    "day_of_week": _utc(lambda when: float(when.isoweekday() % 7)),
    "month": _utc(lambda when: float(when.month)),
    "year": _utc(lambda when: float(when.year)),
}


def rounded(vector: Vector, nearest: Scalar) -> Vector:
    """round(v, to): ties go up."""
    with np.errstate(all="ignore"):
        inverse = 1.0 / nearest
    return mapped(vector, lambda values: np.floor(values * inverse + 0.5) / inverse)


def clamp(vector: Vector, low: Scalar, high: Scalar) -> Vector:
    rows = mapped(vector, lambda values: np.maximum(low, np.minimum(high, values)))
    return [Row(row.labels, row.values, row.present & (low <= high)) for row in rows]


def scalar(vector: Vector, steps: int) -> Scalar:
    """The value of the only element; NaN where there is none or more than one."""
    if not vector:
        return np.full(steps, np.nan)
    present = np.stack([row.present for row in vector])
    values = np.stack([np.where(row.present, row.values, 0.0) for row in vector]).sum(axis=0)
    return np.where(present.sum(axis=0) == 1, values, np.nan)


def of_scalar(values: Scalar) -> Vector:
    return [Row((), values, np.ones(len(values), dtype=bool))]


def absent(vector: Vector, labels: Labels, steps: int) -> Vector:
    there = np.zeros(steps, dtype=bool)
    for row in vector:
        there |= row.present
    return [Row(labels, np.ones(steps), ~there)]


def ordered(vector: Vector, *, descending: bool) -> Vector:
    """sort and sort_desc: meaningful for instant queries only; NaN last."""
    sign = -1.0 if descending else 1.0
    return sorted(vector, key=lambda row: (bool(np.isnan(row.values[-1])), sign * row.values[-1]))


def timestamps(times: list[tuple[Row, Times]]) -> Vector:
    """timestamp(selector): when each element's sample was taken, in seconds."""
    return merged(
        Row(tuple(p for p in row.labels if p[0] != METRIC_NAME), when / 1000.0, row.present)
        for row, when in times
    )


def label_replace(vector: Vector, target: str, replacement: str, source: str, regex: str) -> Vector:
    if not _LABEL_NAME.fullmatch(target):
        raise QueryError(f"invalid destination label name in label_replace(): {target}")
    try:
        pattern = re.compile(regex, re.DOTALL)
    except re.error as error:
        raise QueryError(f"invalid regular expression in label_replace(): {regex}") from error
    rows = []
    for row in vector:
        labels = dict(row.labels)
        match = pattern.fullmatch(labels.get(source, ""))
        if match:
            labels[target] = _expand(match, replacement)
        rows.append(Row(make_labels(labels), row.values, row.present))
    return merged(rows)


def _expand(match: re.Match[str], template: str) -> str:
    """Go's Regexp.Expand: ``$1``, ``${1}``, ``$name``, ``$$``; an unknown group is empty."""

    def group(reference: re.Match[str]) -> str:
        if reference[0] == "$$":
            return "$"
        name = reference[1] or reference[2]
        try:
            return match.group(int(name) if name.isdigit() else name) or ""
        except (IndexError, KeyError):
            return ""

    return re.sub(r"\$\$|\$\{(\w+)\}|\$(\w+)", group, template)


def label_join(vector: Vector, target: str, separator: str, sources: list[str]) -> Vector:
    if not _LABEL_NAME.fullmatch(target):
        raise QueryError(f"invalid destination label name in label_join(): {target}")
    rows = []
    for row in vector:
        labels = dict(row.labels)
        labels[target] = separator.join(labels.get(source, "") for source in sources)
        rows.append(Row(make_labels(labels), row.values, row.present))
    return merged(rows)
