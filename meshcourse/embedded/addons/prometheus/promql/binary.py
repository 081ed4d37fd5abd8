"""Binary operators: arithmetic, comparison, set operators, vector matching.

Source: prometheus.io "Operators" (precedence is the parser's business).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from meshcourse.embedded.addons.prometheus.promql.values import (
    Mask,
    QueryError,
    Row,
    Scalar,
    Vector,
    drop,
    keep,
    merged,
    without_name,
)
from meshcourse.embedded.addons.prometheus.tsdb import Floats, Labels

ARITHMETIC: dict[str, Callable[[Floats, Floats], Floats]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
    "%": np.fmod,
    "^": np.power,
    "atan2": np.arctan2,
}
COMPARISON: dict[str, Callable[[Floats, Floats], NDArray[np.bool_]]] = {
    "==": np.equal,
    "!=": np.not_equal,
    ">": np.greater,
    "<": np.less,
    ">=": np.greater_equal,
    "<=": np.less_equal,
}
SETS = ("and", "or", "unless")


@dataclass(frozen=True, slots=True)
class Matching:
    """How the rows of both sides find each other.

    :param on: match on `labels` only; otherwise on all but `labels`.
    :param many: side that may have several rows per match: "", "left" or "right".
    :param include: labels copied from the "one" side.
    """

    on: bool = False
    labels: tuple[str, ...] = ()
    many: str = ""
    include: tuple[str, ...] = ()
    bool_result: bool = False

    def key(self, labels: Labels) -> Labels:
        return keep(labels, self.labels) if self.on else drop(labels, self.labels)


def scalars(operator: str, left: Scalar, right: Scalar) -> Scalar:
    with np.errstate(all="ignore"):
        if operator in ARITHMETIC:
            return ARITHMETIC[operator](left, right)
        return COMPARISON[operator](left, right).astype(float)


def with_scalar(
    operator: str, vector: Vector, scalar: Scalar, *, swapped: bool, bool_result: bool
) -> Vector:
    """vector ∘ scalar, or scalar ∘ vector if `swapped`."""
    rows = []
    with np.errstate(all="ignore"):
        for row in vector:
            left, right = (scalar, row.values) if swapped else (row.values, scalar)
            if operator in ARITHMETIC:
                values = ARITHMETIC[operator](left, right)
                rows.append(Row(without_name(row.labels), values, row.present))
                continue
            holds = COMPARISON[operator](left, right)
            if bool_result:
                rows.append(Row(without_name(row.labels), holds.astype(float), row.present))
            else:
                rows.append(Row(row.labels, row.values, row.present & holds))
    return merged(rows)


def sets(operator: str, left: Vector, right: Vector, matching: Matching) -> Vector:
    """and, or, unless: step by step, by label key."""
    steps = len((left or right)[0].present) if left or right else 0
    if operator == "or":
        taken = _coverage(left, matching, steps)
        rest = [
            Row(
                row.labels,
                row.values,
                row.present & ~taken.get(matching.key(row.labels), _none(steps)),
            )
            for row in right
        ]
        return merged([*left, *rest])
    covered = _coverage(right, matching, steps)
    result = []
    for row in left:
        there = covered.get(matching.key(row.labels), _none(steps))
        result.append(
            Row(row.labels, row.values, row.present & (there if operator == "and" else ~there))
        )
    return result


def _none(steps: int) -> Mask:
    return np.zeros(steps, dtype=bool)


def _coverage(vector: Vector, matching: Matching, steps: int) -> dict[Labels, Mask]:
    found: dict[Labels, Mask] = {}
    for row in vector:
        key = matching.key(row.labels)
        found[key] = found.get(key, _none(steps)) | row.present
    return found


def vectors(operator: str, left: Vector, right: Vector, matching: Matching) -> Vector:
    """Arithmetic and comparison between vectors.

    :raises QueryError: if a match is not unique, in Prometheus' words.
    """
    many, one = (right, left) if matching.many == "right" else (left, right)
    side = "left" if matching.many == "right" else "right"
    partners = _by_key(one, matching, side)
    if not matching.many:
        _by_key(many, matching, "left", partners)
    rows = []
    with np.errstate(all="ignore"):
        for row in many:
            for partner in partners.get(matching.key(row.labels), ()):
                rows.append(_combine(operator, row, partner, matching))
    return _unique(rows)


def _combine(operator: str, row: Row, partner: Row, matching: Matching) -> Row:
    present = row.present & partner.present
    swap = matching.many == "right"
    left, right = (partner.values, row.values) if swap else (row.values, partner.values)
    labels = _result_labels(operator, row.labels, partner.labels, matching)
    if operator in ARITHMETIC:
        return Row(labels, ARITHMETIC[operator](left, right), present)
    holds = COMPARISON[operator](left, right)
    if matching.bool_result:
        return Row(labels, holds.astype(float), present)
    return Row(labels, left, present & holds)


def _result_labels(operator: str, labels: Labels, partner: Labels, matching: Matching) -> Labels:
    named = operator in COMPARISON and not matching.bool_result
    result = labels if named else without_name(labels)
    if not matching.many:
        # One to one keeps only what was matched on.
        return keep(result, {*matching.labels}) if matching.on else _ignoring(result, matching)
    included = dict(keep(partner, matching.include))
    kept = {name: value for name, value in result if name not in matching.include}
    return tuple(sorted({**kept, **included}.items()))


def _ignoring(labels: Labels, matching: Matching) -> Labels:
    return tuple(pair for pair in labels if pair[0] not in matching.labels)


def _by_key(
    vector: Vector, matching: Matching, side: str, relevant: dict[Labels, list[Row]] | None = None
) -> dict[Labels, list[Row]]:
    """Rows by match key; several under one key must never be present at the same step."""
    found: dict[Labels, list[Row]] = {}
    for row in vector:
        key = matching.key(row.labels)
        rivals = found.setdefault(key, [])
        for rival in rivals:
            shared = rival.present & row.present
            if relevant is not None:
                shared = shared & _any(relevant.get(key, []), len(shared))
            if shared.any():
                raise _ambiguous(key, side, rival.labels, row.labels, grouped=relevant is not None)
        rivals.append(row)
    return found


def _any(rows: list[Row], steps: int) -> Mask:
    result = _none(steps)
    for row in rows:
        result = result | row.present
    return result


def _show(labels: Labels) -> str:
    return "{" + ", ".join(f'{name}="{value}"' for name, value in labels) + "}"


def _ambiguous(key: Labels, side: str, one: Labels, two: Labels, *, grouped: bool) -> QueryError:
    if grouped:
        return QueryError(
            "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)"
        )
    return QueryError(
        f"found duplicate series for the match group {_show(key)} on the {side} hand-side of the operation: "
        f"[{_show(two)}, {_show(one)}];many-to-many matching not allowed: matching labels must be unique on one side"
    )


def _unique(rows: list[Row]) -> Vector:
    found: dict[Labels, Row] = {}
    for row in rows:
        other = found.get(row.labels)
        if other is None:
            found[row.labels] = row
        elif (other.present & row.present).any():
            raise QueryError(
                "multiple matches for labels: grouping labels must ensure unique matches"
            )
        else:
            values = np.where(row.present, row.values, other.values)
            found[row.labels] = Row(row.labels, values, other.present | row.present)
    return list(found.values())
