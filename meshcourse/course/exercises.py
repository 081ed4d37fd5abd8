"""The exercises: task, start, check, hints, solution, and undoing it all."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from meshcourse.cluster import progress, tools
from meshcourse.cluster.cluster import Cluster
from meshcourse.course.opening import mesh
from meshcourse.kubectl import front
from meshcourse.lab import manifest, proof, runner, steps
from meshcourse.lab.progress import Store
from meshcourse.widgets import picture as views


def task(lab: str) -> views.Note:
    """The task of a lab."""
    found = manifest.read().lab(lab)
    title, _, text = found.task.partition("\n")
    return views.Note(
        f"Exercise {found.slug}: {title.lstrip('# ')} ({found.minutes} minutes)", text.strip()
    )


def begin(lab: str) -> None:
    """Prepare what a lab starts from."""
    steps.perform(manifest.read().lab(lab).start, mesh(), kubectl_in)


def check(lab: str) -> runner.Report:
    """Run the checks of a lab against the open mesh."""
    found = manifest.read().lab(lab)
    report = runner.run(found, mesh(), progress.auto())
    if report.passed:
        Store().mark_solved(found.slug)
    return report


def hint(lab: str) -> views.Note:
    """The next hint of a lab; the last one again when all have been shown."""
    found, store = manifest.read().lab(lab), Store()
    count = min(store.hints(found.slug) + 1, len(found.hints))
    store.mark_hints(found.slug, count)
    return views.Note(f"Hint {count} of {len(found.hints)}", found.hints[count - 1])


def solution(lab: str) -> views.Note:
    """The solution of a lab, to read."""
    found = manifest.read().lab(lab)
    return views.Note(f"Solution of {found.slug}", f"```\n{steps.text(found.solution)}```")


def solve(lab: str) -> runner.Report:
    """Carry the solution out, and check it."""
    found = manifest.read().lab(lab)
    steps.perform(found.solution, mesh(), kubectl_in)
    return check(found.slug)


def clean(lab: str) -> None:
    """Undo a lab, whatever was done of it."""
    proof.clean(manifest.read().lab(lab), mesh(), kubectl_in)


def labs() -> views.Table:
    """The exercises in order, and which are solved."""
    solved = Store().solved()
    rows = [
        (lab.slug, lab.title, f"{lab.minutes} min", "✓" if lab.slug in solved else "")
        for lab in manifest.read().labs
    ]
    return views.Table(("lab", "what", "time", "solved"), rows)


def kubectl_in(cluster: Cluster, args: Sequence[str], folder: Path) -> tools.Done:
    """kubectl for the steps of labs: file names are relative to the lab's folder."""
    return front.run(cluster, args, folder=folder)
