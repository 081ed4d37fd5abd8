"""Functions over range vectors: rate, increase and their kin, and the ``*_over_time`` family.

Source: prometheus.io "Functions"; the extrapolation of rate, increase and delta is that of Prometheus 3 (first the
threshold at 1.1 average intervals, then the clamp at a counter's zero). `Window.old` selects Prometheus 2's order, for
comparison with a Prometheus 2 binary.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from meshcourse.embedded.addons.prometheus.promql.values import Mask
from meshcourse.embedded.addons.prometheus.tsdb import Floats, Times

Indices = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Window:
    """The samples of one series and, for every step, which of them lie in its window ``[first, end)``.

    Functions of `TOGETHER` also take many series at once that have the same times: `values` of shape (series, samples).

    :param starts: left edge per step, milliseconds. :param ends: right edge per step.
    """

    times: Times
    values: Floats
    first: Indices
    end: Indices
    starts: Times
    ends: Times
    seconds: float
    old: bool = False

    def same_times(self, other: Window) -> bool:
        """Whether both belong to one target and have all its scrapes."""
        return self.times is other.times and self.first is other.first

    @property
    def count(self) -> Indices:
        return self.end - self.first


Result = tuple[Floats, Mask]
Function = Callable[[Window], Result]


def _corrections(values: Floats, first: Indices, last: Indices) -> Floats:
    """What resets between sample `first` and sample `last` of a counter took away, per step."""
    before = values[..., :-1]
    fallen = values[..., 1:] < before
    if not fallen.any():
        return np.zeros((*values.shape[:-1], len(first)))
    resets = np.where(fallen, before, 0.0)
    if np.isfinite(resets).all():
        sums = np.zeros(values.shape)
        np.cumsum(resets, axis=-1, out=sums[..., 1:])
        difference: Floats = sums[..., last] - sums[..., first]
        return difference
    # An infinite value would spoil the sums of all windows after it.
    pairs = zip(first, last, strict=True)
    return np.stack([resets[..., i:j].sum(axis=-1) for i, j in pairs], axis=-1)


def _extrapolated(window: Window, *, counter: bool, rate: bool) -> Result:
    present = window.count >= 2
    if not present.any():
        return np.zeros((*window.values.shape[:-1], len(present))), present
    first = np.where(present, window.first, 0)
    last = np.where(present, window.end - 1, 1)
    start_values, end_values = window.values[..., first], window.values[..., last]
    change = end_values - start_values
    if counter:
        change = change + _corrections(window.values, first, last)
    sampled = (window.times[last] - window.times[first]) / 1000.0
    to_start = (window.times[first] - window.starts) / 1000.0
    to_end = (window.ends - window.times[last]) / 1000.0
    average = sampled / np.maximum(last - first, 1)
    threshold = average * 1.1
    with np.errstate(all="ignore"):
        zero = np.where(
            counter & (change > 0) & (start_values >= 0), sampled * (start_values / change), np.inf
        )
        if window.old:
            to_start = np.minimum(to_start, zero)
            to_start = np.where(to_start < threshold, to_start, average / 2)
        else:
            to_start = np.minimum(np.where(to_start >= threshold, average / 2, to_start), zero)
        to_end = np.where(to_end >= threshold, average / 2, to_end)
        factor = (sampled + to_start + to_end) / sampled
        return change * (factor / window.seconds if rate else factor), present


def rate(window: Window) -> Result:
    return _extrapolated(window, counter=True, rate=True)


def increase(window: Window) -> Result:
    return _extrapolated(window, counter=True, rate=False)


def delta(window: Window) -> Result:
    return _extrapolated(window, counter=False, rate=False)


def _instant(window: Window, *, per_second: bool) -> Result:
    """irate (a counter: a reset counts from zero) and idelta (a gauge)."""
    present = window.count >= 2
    last = np.where(present, window.end - 1, 1)
    last = np.minimum(last, len(window.times) - 1)
    before = np.maximum(last - 1, 0)
    now, then = window.values[..., last], window.values[..., before]
    change = np.where(per_second & (now < then), now, now - then)
    seconds = (window.times[last] - window.times[before]) / 1000.0
    with np.errstate(all="ignore"):
        return (change / seconds if per_second else change), present


def irate(window: Window) -> Result:
    return _instant(window, per_second=True)


def idelta(window: Window) -> Result:
    return _instant(window, per_second=False)


def _prefix(window: Window, per_sample: Floats) -> Result:
    """Sums of `per_sample` over each window, from its second sample on (changes between neighbours)."""
    sums = np.concatenate(([0.0], np.cumsum(per_sample)))
    present = window.count >= 1
    first = np.minimum(window.first, len(sums) - 1)
    last = np.maximum(np.minimum(window.end - 1, len(sums) - 1), 0)
    return np.where(present, sums[last] - sums[first], 0.0), present


def resets(window: Window) -> Result:
    return _prefix(window, (window.values[1:] < window.values[:-1]).astype(float))


def changes(window: Window) -> Result:
    before, after = window.values[:-1], window.values[1:]
    differ = (before != after) & ~(np.isnan(before) & np.isnan(after))
    return _prefix(window, differ.astype(float))


def _per_window(function: Callable[[Floats], float]) -> Function:
    def apply(window: Window) -> Result:
        present = window.count >= 1
        result = np.zeros(len(present))
        with np.errstate(all="ignore"):
            for step in np.flatnonzero(present):
                result[step] = function(window.values[window.first[step] : window.end[step]])
        return result, present

    return apply


def last_over_time(window: Window) -> Result:
    present = window.count >= 1
    return window.values[np.where(present, window.end - 1, 0)], present


def _extreme(choose: Callable[[Floats], float]) -> Callable[[Floats], float]:
    """min and max ignore NaN unless there is nothing else."""

    def apply(values: Floats) -> float:
        known = values[~np.isnan(values)]
        return choose(known) if len(known) else float("nan")

    return apply


def deriv(window: Window) -> Result:
    """Slope per second by least squares."""
    present = window.count >= 2
    result = np.zeros(len(present))
    for step in np.flatnonzero(present):
        part = slice(window.first[step], window.end[step])
        seconds = (window.times[part] - window.times[part][0]) / 1000.0
        values = window.values[part]
        centred = seconds - seconds.mean()
        with np.errstate(all="ignore"):
            result[step] = (centred * (values - values.mean())).sum() / (centred**2).sum()
    return result, present


#: Those that take many series at once.
TOGETHER = frozenset({"rate", "increase", "delta", "irate", "idelta"})

FUNCTIONS: dict[str, Function] = {
    "rate": rate,
    "increase": increase,
    "delta": delta,
    "irate": irate,
    "idelta": idelta,
    "resets": resets,
    "changes": changes,
    "deriv": deriv,
    "last_over_time": last_over_time,
    "sum_over_time": _per_window(lambda values: float(values.sum())),
    "avg_over_time": _per_window(lambda values: float(values.mean())),
    "count_over_time": _per_window(lambda values: float(len(values))),
    "min_over_time": _per_window(_extreme(lambda values: float(values.min()))),
    "max_over_time": _per_window(_extreme(lambda values: float(values.max()))),
    "stddev_over_time": _per_window(lambda values: float(values.std())),
    "stdvar_over_time": _per_window(lambda values: float(values.var())),
    "present_over_time": _per_window(lambda values: 1.0),
}
