"""The statistics of the course: binomial intervals, quantiles, sample sizes, convergence. Pure, no dependencies.

Sources: Wilson (1927) for the score interval; Clopper and Pearson (1934) for the exact one; the regularised incomplete
beta function by its continued fraction (DLMF 8.17.22, Lentz's algorithm).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist


@dataclass(frozen=True, slots=True, repr=False)
class Interval:
    """An observed share with its confidence interval; all between 0 and 1."""

    share: float
    low: float
    high: float
    confidence: float

    def __contains__(self, share: float) -> bool:
        return self.low <= share <= self.high

    def __str__(self) -> str:
        return (
            f"{self.share:.1%} ({self.confidence:.0%} interval {self.low:.1%} to {self.high:.1%})"
        )

    __repr__ = __str__


def wilson(hits: int, n: int, confidence: float = 0.95) -> Interval:
    """The Wilson score interval: the one to show, narrow and well-behaved near 0 and 1."""
    _check(hits, n, confidence)
    if n == 0:
        return Interval(math.nan, 0.0, 1.0, confidence)
    z = z_of(confidence)
    share = hits / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    low = 0.0 if hits == 0 else max(0.0, centre - half)
    high = 1.0 if hits == n else min(1.0, centre + half)
    return Interval(share, low, high, confidence)


def z_of(confidence: float) -> float:
    """The normal quantile of a two-sided interval: 1.96 for 0.95."""
    return NormalDist().inv_cdf(0.5 + confidence / 2)


def clopper_pearson(hits: int, n: int, confidence: float = 0.95) -> Interval:
    """The exact interval: the one to judge by, because it never promises more than `confidence`."""
    _check(hits, n, confidence)
    if n == 0:
        return Interval(math.nan, 0.0, 1.0, confidence)
    tail = (1 - confidence) / 2
    low = 0.0 if hits == 0 else beta_quantile(tail, hits, n - hits + 1)
    high = 1.0 if hits == n else beta_quantile(1 - tail, hits + 1, n - hits)
    return Interval(hits / n, low, high, confidence)


def plausible(hits: int, n: int, share: float, confidence: float = 0.99) -> bool:
    """Could `hits` of `n` have come from a true share? Exact, two-sided.

    A right configuration is called implausible in at most ``1 - confidence`` of all runs.
    """
    return share in clopper_pearson(hits, n, confidence)


@dataclass(frozen=True, slots=True, repr=False)
class Verdict:
    """Is an observed split consistent with the expected one, and which part is not?"""

    ok: bool
    n: int
    confidence: float
    observed: dict[str, Interval]
    expected: dict[str, float]

    def __bool__(self) -> bool:
        return self.ok

    def __str__(self) -> str:
        lines = [f"{'plausible' if self.ok else 'NOT plausible'} at n = {self.n}:"]
        for label, interval in self.observed.items():
            share = self.expected.get(label, 0.0)
            sign = "∈" if share in interval else "∉"
            lines.append(
                f"  {label}: {interval.share:.1%} seen, {share:.1%} expected "
                f"{sign} [{interval.low:.1%}, {interval.high:.1%}]"
            )
        return "\n".join(lines)

    __repr__ = __str__


def split_plausible(
    counts: Mapping[str, int], expected: Mapping[str, float], confidence: float = 0.99
) -> Verdict:
    """Judge several shares at once: exact intervals, each at a level that keeps the whole at `confidence` (Bonferroni).

    :param expected: label → weight; weights are scaled to 1. A label that was not expected has weight 0.
    """
    total = sum(expected.values())
    if total <= 0:
        raise ValueError("the expected weights must sum to more than 0")
    labels = list(dict.fromkeys([*expected, *counts]))
    shares = {label: expected.get(label, 0.0) / total for label in labels}
    n = sum(counts.values())
    level = 1 - (1 - confidence) / len(labels)
    seen = {label: clopper_pearson(counts.get(label, 0), n, level) for label in labels}
    ok = n > 0 and all(_consistent(seen[label], shares[label]) for label in labels)
    return Verdict(ok, n, confidence, seen, shares)


def sample_size(
    share: float, other: float, *, confidence: float = 0.95, power: float = 0.95
) -> int:
    """How many requests tell a true share from another with this confidence and power (normal approximation)."""
    if not (0 <= share <= 1 and 0 <= other <= 1) or share == other:
        raise ValueError("two different shares between 0 and 1 are needed")
    alpha, beta = NormalDist().inv_cdf(0.5 + confidence / 2), NormalDist().inv_cdf(power)
    spread = alpha * math.sqrt(share * (1 - share)) + beta * math.sqrt(other * (1 - other))
    return max(1, math.ceil((spread / (share - other)) ** 2))


def quantile(values: Sequence[float], q: float) -> float:
    """The `q`-quantile (0 to 1) of a sample by linear interpolation; nan of nothing."""
    if not 0 <= q <= 1:
        raise ValueError("a quantile lies between 0 and 1")
    if not values:
        return math.nan
    ordered = sorted(values)
    position = q * (len(ordered) - 1)
    below = math.floor(position)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (position - below)


@dataclass(frozen=True, slots=True, repr=False)
class Convergence:
    """How a change arrived, in seconds after it was made.

    :param first: the first answer that obeys the new rule (nan: none did).
    :param settled: the last answer that does not (0: all did).
    """

    first: float
    settled: float

    def __str__(self) -> str:
        return f"first seen after {self.first * 1000:.0f} ms, settled after {self.settled * 1000:.0f} ms"

    __repr__ = __str__


def convergence(
    answers: Sequence[tuple[float, str]], changed: float, expected: set[str]
) -> Convergence:
    """When did answers begin, and when did they finish, to obey a change?

    :param answers: when each request was *sent* and the label of what answered.
    :param changed: when the change was made, on the same clock.
    :param expected: the labels that are right after the change.
    """
    after = [(at - changed, label) for at, label in answers if at >= changed]
    right = [at for at, label in after if label in expected]
    wrong = [at for at, label in after if label not in expected]
    return Convergence(min(right, default=math.nan), max(wrong, default=0.0))


def beta_quantile(p: float, a: float, b: float) -> float:
    """The `p`-quantile of the beta distribution, by bisection."""
    low, high = 0.0, 1.0
    for _ in range(80):
        middle = (low + high) / 2
        if beta_cdf(middle, a, b) < p:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def beta_cdf(x: float, a: float, b: float) -> float:
    """The regularised incomplete beta function I_x(a, b)."""
    if x <= 0:
        return 0.0
    if x >= 1:
        return 1.0
    log_front = (
        math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
        + a * math.log(x) + b * math.log1p(-x)
    )  # fmt: skip
    front = math.exp(log_front)
    if x < (a + 1) / (a + b + 2):
        return front * _fraction(x, a, b) / a
    return 1 - front * _fraction(1 - x, b, a) / b


def _fraction(x: float, a: float, b: float) -> float:
    """The continued fraction of the incomplete beta function."""
    tiny = 1e-300
    c, d = 1.0, 1 - (a + b) * x / (a + 1)
    d = 1 / (d if abs(d) > tiny else tiny)
    result = d
    for m in range(1, 2000):
        for numerator in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1 + numerator * d
            c = 1 + numerator / c
            d = 1 / (d if abs(d) > tiny else tiny)
            c = c if abs(c) > tiny else tiny
            result *= d * c
        if abs(d * c - 1) < 1e-14:
            break
    return result


def _consistent(interval: Interval, share: float) -> bool:
    """A share of exactly 0 or 1 is a promise, not a tendency: one exception breaks it."""
    if share in (0.0, 1.0):
        return interval.share == share
    return share in interval


def _check(hits: int, n: int, confidence: float) -> None:
    if not 0 <= hits <= n:
        raise ValueError(f"{hits} of {n} is not a count")
    if not 0 < confidence < 1:
        raise ValueError("confidence lies between 0 and 1")
