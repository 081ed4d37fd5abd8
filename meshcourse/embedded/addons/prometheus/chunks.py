"""Older samples of a series, packed: most values are counters that rise by small whole numbers. Pure.

Two or three bytes a sample instead of sixteen; what is no whole number is kept as it is, bit for bit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.int64]
Floats = NDArray[np.float64]
_KINDS = (np.int8, np.int16, np.int32, np.int64)
#: The objects of a chunk without their contents.
_AROUND = 250
#: Whole numbers up to here are exact as floating-point numbers.
_EXACT = 2.0**53


@dataclass(frozen=True, slots=True)
class Chunk:
    """Changes of a series in order.

    :param first: the index of the first scrape, `start` its value.
    :param gaps: from scrape to scrape, packed with the type code `gap_kind`; empty if every scrape is there.
    :param steps: from value to value; with `step_kind` ``"d"`` the values themselves.
    """

    first: int
    start: float
    gap_kind: str
    gaps: bytes
    step_kind: str
    steps: bytes

    @property
    def size(self) -> int:
        """Bytes in memory, about: the contents and what Python needs around them."""
        return len(self.gaps) + len(self.steps) + _AROUND

    def unpacked(self) -> tuple[Indices, Floats]:
        """The scrapes and the values."""
        steps = np.frombuffer(self.steps, self.step_kind)
        values = steps if self.step_kind == "d" else _summed(int(self.start), steps)
        if not self.gaps:
            return np.arange(self.first, self.first + len(values)), values.astype(np.float64)
        changes = _summed(self.first, np.frombuffer(self.gaps, self.gap_kind))
        return changes, values.astype(np.float64)


def _summed(start: int, steps: NDArray[Any]) -> Indices:
    found = np.empty(len(steps) + 1, np.int64)
    found[0], found[1:] = start, steps
    return found.cumsum()


def packed(changes: Indices, values: Floats) -> Chunk:
    """At least one change, packed."""
    gaps, steps = _smallest(changes[1:] - changes[:-1]), None
    if _whole(values):
        whole = values.astype(np.int64)
        steps = _smallest(whole[1:] - whole[:-1])
    if (gaps == 1).all():
        gaps = gaps[:0]
    shown = values if steps is None else steps
    return Chunk(
        int(changes[0]),
        float(values[0]),
        gaps.dtype.char,
        gaps.tobytes(),
        shown.dtype.char,
        shown.tobytes(),
    )


def _whole(values: Floats) -> bool:
    """Whether all values are whole numbers that an integer holds exactly (a negative zero is not)."""
    with np.errstate(invalid="ignore"):
        exact = (np.abs(values) < _EXACT) & (values == np.trunc(values))
    return bool(exact.all()) and not bool((np.signbit(values) & (values == 0)).any())


def _smallest(numbers: Indices) -> NDArray[np.signedinteger]:
    """The same numbers in the smallest type that holds them."""
    most = int(np.abs(numbers).max(initial=0))
    kind = next(kind for kind in _KINDS if most <= np.iinfo(kind).max)
    return numbers.astype(kind)
