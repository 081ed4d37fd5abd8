"""What fortio prints at the end: counters, the histogram, percentiles. Pure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence

#: Upper bounds of the histogram's buckets, in units of its divider (1 ms for times).
BOUNDS = (
    *range(12), *range(12, 21, 2), *range(25, 51, 5), *range(60, 101, 10), *range(120, 201, 20), *range(250, 501, 50),
    *range(600, 1001, 100), 2000, 3000, 4000, 5000, 7500, 10000, 20000, 30000, 40000, 50000, 75000, 100000,
)  # fmt: skip
Bucket = tuple[float, float, float, int]


def counter(name: str, values: Sequence[float]) -> str:
    """``name : count … avg … +/- … min … max … sum …``."""
    if not values:
        return f"{name} : count 0 avg 0 +/- 0 min 0 max 0 sum 0"
    count, total = len(values), math.fsum(values)
    mean = total / count
    deviation = math.sqrt(max(math.fsum((value - mean) ** 2 for value in values) / count, 0.0))
    return (
        f"{name} : count {count} avg {mean:.8g} +/- {deviation:.4g} "
        f"min {min(values):.9g} max {max(values):.9g} sum {total:.9g}"
    )


def buckets(values: Iterable[float], divider: float = 0.001) -> list[Bucket]:
    """The histogram's filled buckets: start, end, cumulative percent, count."""
    ordered = sorted(values)
    found: list[Bucket] = []
    bounds = [bound * divider for bound in BOUNDS] + [math.inf]
    seen = 0
    for index, bound in enumerate(bounds):
        inside = sum(1 for value in ordered[seen:] if value <= bound + 1e-15)
        if inside:
            seen += inside
            start = bounds[index - 1] if found else ordered[0]
            found.append((start, bound, 100 * seen / len(ordered), inside))
    if found:
        start, _, percent, inside = found[-1]
        found[-1] = (start, ordered[-1], percent, inside)
    return found


def percentile(found: Sequence[Bucket], low: float, high: float, wanted: float) -> float:
    """The value below which `wanted` percent lie, drawn straight through its bucket.

    :param low: the smallest value.
    :param high: the largest.
    """
    total = sum(bucket[3] for bucket in found)
    before = 100 / total
    if wanted <= before:
        return low
    for start, end, percent, _ in found:
        if wanted <= percent:
            return start + (wanted - before) / (percent - before) * (end - start)
        before = percent
    return high


def histogram(name: str, values: Sequence[float], percentiles: Iterable[float]) -> list[str]:
    """The counter, the buckets and the percentiles, as lines."""
    if not values:
        return [f"{name} : no data"]
    found = buckets(values)
    lines = [counter(name, values), "# range, mid point, percentile, count"]
    for index, (start, end, percent, inside) in enumerate(found):
        sign = ">" if index else ">="
        lines.append(
            f"{sign} {start:.6g} <= {end:.6g} , {(start + end) / 2:.6g} , {percent:.2f}, {inside}"
        )
    for wanted in percentiles:
        value = percentile(found, min(values), max(values), wanted)
        lines.append(f"# target {wanted:g}% {value:.6g}")
    return lines


def codes(found: Counter[int]) -> list[str]:
    """``Code 200 : 17 (85.0 %)`` per status."""
    total = sum(found.values())
    return [
        f"Code {code:3d} : {count} ({100 * count / total:.1f} %)"
        for code, count in sorted(found.items())
    ]
