"""What an expression evaluates to: vectors and scalars over all steps at once.

``T`` is the number of steps (1 for an instant query). Presence is kept beside the values because NaN is a value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from meshcourse.embedded.addons.prometheus.tsdb import METRIC_NAME, Floats, Labels

Mask = NDArray[np.bool_]


class QueryError(Exception):
    """A query that cannot be answered; `kind` is the API's ``errorType`` (``bad_data`` or ``execution``)."""

    def __init__(self, message: str, kind: str = "execution") -> None:
        super().__init__(message)
        self.kind = kind


@dataclass(frozen=True, slots=True)
class Row:
    """One series of a vector: `values` and `present` have shape (T,)."""

    labels: Labels
    values: Floats
    present: Mask


Vector = list[Row]
#: shape (T,)
Scalar = Floats
Value = Vector | Scalar | str


def without_name(labels: Labels) -> Labels:
    for place, (name, _) in enumerate(labels):  # sorted: it is among the first
        if name >= METRIC_NAME:
            return labels[:place] + labels[place + 1 :] if name == METRIC_NAME else labels
    return labels


def keep(labels: Labels, names: Iterable[str]) -> Labels:
    wanted = set(names)
    return tuple(pair for pair in labels if pair[0] in wanted)


def drop(labels: Labels, names: Iterable[str]) -> Labels:
    unwanted = {*names, METRIC_NAME}
    return tuple(pair for pair in labels if pair[0] not in unwanted)


def mapped(vector: Vector, function: Callable[[Floats], Floats]) -> Vector:
    """Apply a function to all values; the metric name goes, as the result is no longer that metric."""
    with np.errstate(all="ignore"):
        rows = [Row(without_name(row.labels), function(row.values), row.present) for row in vector]
    return merged(rows)


def merged(rows: Iterable[Row]) -> Vector:
    """Join rows of equal labels (they arise when the metric name is dropped).

    :raises QueryError: if two of them are present at the same step.
    """
    found: dict[Labels, Row] = {}
    for row in rows:
        other = found.get(row.labels)
        if other is None:
            found[row.labels] = row
            continue
        if bool(np.any(other.present & row.present)):
            raise QueryError("vector cannot contain metrics with the same labelset")
        values = np.where(row.present, row.values, other.values)
        found[row.labels] = Row(row.labels, values, other.present | row.present)
    return list(found.values())
