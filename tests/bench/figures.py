"""What a benchmark reports: medians, quantiles, a table, JSON."""

from __future__ import annotations

import json
import os
import platform
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from meshcourse.observe import stats


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value.

    :param goal: what it is compared with, "" if nothing.
    :param good: whether it meets the goal; None without one.
    """

    name: str
    value: float
    unit: str
    n: int
    goal: str = ""
    good: bool | None = None


def at_most(name: str, value: float, unit: str, n: int, limit: float) -> Figure:
    return Figure(name, value, unit, n, f"≤ {limit:g} {unit}", value <= limit)


def spread(name: str, values: Sequence[float], unit: str) -> list[Figure]:
    """Median and maximum of repeated measurements."""
    return [
        Figure(f"{name}, median", statistics.median(values), unit, len(values)),
        Figure(f"{name}, max", max(values), unit, len(values)),
    ]


def quantile(values: Sequence[float], share: float) -> float:
    return stats.quantile(values, share)


def table(figures: Sequence[Figure]) -> str:
    width = max(len(each.name) for each in figures)
    lines = []
    for each in figures:
        sign = {True: "✓", False: "✗", None: " "}[each.good]
        lines.append(
            f"{sign} {each.name:<{width}} {each.value:>10.1f} {each.unit:<10} n={each.n:<6} {each.goal}"
        )
    return "\n".join(lines)


def write(figures: Sequence[Figure], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    machine = {
        "cpus": os.cpu_count(),
        "system": platform.platform(),
        "python": platform.python_version(),
    }
    body = {"machine": machine, "figures": [asdict(each) for each in figures]}
    path.write_text(json.dumps(body, indent=1, ensure_ascii=False) + "\n")
