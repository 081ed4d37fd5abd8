"""A run of traffic that one waits for, with live counts wherever the caller looks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from meshcourse.cluster.progress import Progress
from meshcourse.observe import traffic
from meshcourse.observe.result import Result, Sample


def measure(plan: traffic.Plan, progress: Progress) -> Result:
    """Send everything, showing counts as they come; an interrupt keeps what was measured."""
    goal = f"of {plan.total} " if plan.total is not None else ""

    def show(samples: Sequence[Sample]) -> None:
        progress.note(f"{len(samples)} {goal}sent · {summary(samples)}")

    with progress.stage(f"traffic to {plan.url}"):
        return traffic.Run(plan, show).result()


def summary(samples: Sequence[Sample]) -> str:
    """``v1 33, v2 30, v3 37`` or ``200 95, no answer 5``: what the answers were, in a few words."""
    labels = Counter(_label(sample) for sample in list(samples))
    return ", ".join(f"{label} {count}" for label, count in sorted(labels.items()))


def _label(sample: Sample) -> str:
    if sample.ok and sample.label:
        return sample.label
    return str(sample.status) if sample.status else "no answer"
