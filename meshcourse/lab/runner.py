"""Running a lab's checks, one after the other, up to the first that does not hold."""

from __future__ import annotations

import html
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

from meshcourse.cluster.cluster import Cluster
from meshcourse.cluster.progress import Progress, silent
from meshcourse.errors import MeshcourseError
from meshcourse.lab import checks, manifest
from meshcourse.lab.checks import Check, Finding

#: Seconds between two looks at a condition that may still converge.
PAUSE = 0.2


@dataclass(frozen=True, slots=True)
class Step:
    """One check that was run, and what it found."""

    action: str
    finding: Finding


@dataclass(frozen=True)
class Report:
    """What a run of a lab's checks found.

    :param steps: the checks run; the last one may have failed.
    :param left: how many were not run because one before them failed.
    """

    lab: str
    steps: Sequence[Step]
    left: int = 0

    @property
    def passed(self) -> bool:
        return self.left == 0 and all(step.finding.ok for step in self.steps)

    def raise_if_failed(self) -> Report:
        """Itself, if the lab is solved.

        :raises MeshcourseError: with what was observed, expected, and where to look next.
        """
        if not self.passed:
            raise MeshcourseError(repr(self))
        return self

    def __repr__(self) -> str:
        lines = [self._headline()]
        for step in self.steps:
            lines += _text(step)
        if self.left:
            lines.append(f"… {self.left} more after this one")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        rows = "".join(_html(step) for step in self.steps)
        more = f"<li>… {self.left} more after this one</li>" if self.left else ""
        return (
            "<div style='font:13px system-ui,sans-serif'>"
            f"<b>{html.escape(self._headline())}</b><ul style='list-style:none;padding-left:0'>{rows}{more}</ul></div>"
        )

    def _headline(self) -> str:
        done = sum(step.finding.ok for step in self.steps)
        total = len(self.steps) + self.left
        state = "solved" if self.passed else "not yet"
        return f"{self.lab}: {state} ({done} of {total} checks hold)"


def run(
    lab: manifest.Lab,
    cluster: Cluster,
    progress: Progress | None = None,
    *,
    pause: float = PAUSE,
    patience: float = math.inf,
) -> Report:
    """Run the checks of a lab.

    :param patience: the most seconds that a condition gets to converge, whatever its check declares.
    :raises MeshcourseError: if the lab has no checks.
    """
    found, shown = checks.load(lab.checks), progress or silent()
    steps: list[Step] = []
    for item in found:
        shown.note(item.action, now=True)
        steps.append(Step(item.action, _settle(item, cluster, pause, patience)))
        if not steps[-1].finding.ok:
            break
    shown.clear()
    return Report(lab.slug, tuple(steps), len(found) - len(steps))


def _settle(item: Check, cluster: Cluster, pause: float, patience: float) -> Finding:
    """Try a check until it holds or its time to converge is over."""
    deadline = time.monotonic() + min(item.converges, patience)
    while True:
        finding = _find(item, cluster)
        if finding.ok or time.monotonic() >= deadline:
            return finding
        time.sleep(pause)


def _find(item: Check, cluster: Cluster) -> Finding:
    """A cluster's refusal (no such object, no such service) is something observed, not a crash of the check."""
    try:
        return item.function(cluster)
    except MeshcourseError as error:
        return Finding(False, error.message, "no error", error.remedy)


def _text(step: Step) -> list[str]:
    finding = step.finding
    if finding.ok:
        return [f"✓ {step.action}", f"    observed: {finding.observed}"]
    lines = [
        f"✗ {step.action}",
        f"    observed: {finding.observed}",
        f"    expected: {finding.expected}",
    ]
    return [*lines, f"    look at:  {finding.look}"] if finding.look else lines


def _html(step: Step) -> str:
    mark, *details = _text(step)
    colour = "#2e7d4f" if step.finding.ok else "#b23b3b"
    inner = "".join(
        f"<div style='margin-left:1.4em'>{html.escape(line.strip())}</div>" for line in details
    )
    return f"<li><span style='color:{colour}'>{html.escape(mark)}</span>{inner}</li>"
