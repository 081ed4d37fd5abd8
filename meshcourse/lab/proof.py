"""The proof that a lab works: its start fails the checks, its solution passes them, its clean-up leaves no trace.

And the proof that its checks look: with any part of the solution left out or altered, they must fail (mutants).
"""

from __future__ import annotations

import copy
import shlex
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from meshcourse.cluster import components, manifests
from meshcourse.cluster.cluster import Cluster
from meshcourse.errors import MeshcourseError
from meshcourse.lab import runner, snapshot, steps
from meshcourse.lab.manifest import Lab

CLEANUP = "cleanup"
#: What must fail gets no more than this to converge (seconds).
HURRY = 3.0


@dataclass(frozen=True, slots=True)
class Proof:
    """What became of one lab; `problems` is empty if all is as it must be."""

    lab: str
    problems: tuple[str, ...]

    @property
    def ok(self) -> bool:
        return not self.problems

    def __str__(self) -> str:
        return "\n".join([f"{self.lab}: {'proved' if self.ok else 'NOT proved'}", *self.problems])


@dataclass(frozen=True, slots=True)
class Mutant:
    """A solution with one thing wrong, in a folder of its own."""

    what: str
    folder: Path


def prove(lab: Lab, cluster: Cluster, kubectl: steps.Kubectl) -> Proof:
    """Start → the check must fail → solution → it must pass → clean up → the cluster is as before."""
    problems: list[str] = []
    components.ensure(cluster, *lab.needs)
    before = snapshot.take(cluster)
    try:
        steps.perform(lab.start, cluster, kubectl)
        if runner.run(lab, cluster, patience=HURRY).passed:
            problems.append("the start already passes")
        steps.perform(lab.solution, cluster, kubectl)
        report = runner.run(lab, cluster)
        if not report.passed:
            problems.append(f"the solution does not pass:\n{report!r}")
    finally:
        clean(lab, cluster, kubectl)
    problems += snapshot.difference(before, snapshot.take(cluster))
    return Proof(lab.slug, tuple(problems))


def survivors(lab: Lab, cluster: Cluster, kubectl: steps.Kubectl, scratch: Path) -> list[str]:
    """The mutants of the solution that the checks did not notice."""
    components.ensure(cluster, *lab.needs)
    unnoticed = []
    for mutant in mutants(lab, scratch):
        try:
            steps.perform(lab.start, cluster, kubectl)
            if not _noticed(mutant, lab, cluster, kubectl):
                unnoticed.append(mutant.what)
        finally:
            clean(lab, cluster, kubectl)
    return unnoticed


def _noticed(mutant: Mutant, lab: Lab, cluster: Cluster, kubectl: steps.Kubectl) -> bool:
    """Does a mutant fail the checks? One whose own steps fail does not get that far."""
    try:
        steps.perform(mutant.folder, cluster, kubectl, base=lab.solution)
    except MeshcourseError:
        return True
    return not runner.run(lab, cluster, patience=HURRY).passed


def clean(lab: Lab, cluster: Cluster, kubectl: steps.Kubectl) -> None:
    """Undo a lab: its clean-up steps, then whatever its manifests describe."""
    steps.perform(lab.folder / CLEANUP, cluster, kubectl)
    steps.undo(lab.solution, cluster)
    steps.undo(lab.start, cluster)


def mutants(lab: Lab, scratch: Path) -> Iterator[Mutant]:
    """Every solution with one step or one object left out, or one number in an object's spec changed."""
    files = {path.name: manifests.read(path) for path in steps.manifest_files(lab.solution)}
    lines = steps.commands(lab.solution / steps.STEPS)
    number = 0
    for index, words in enumerate(lines):
        rest = [line for at, line in enumerate(lines) if at != index]
        yield _written(scratch / str(number), f"without `{' '.join(words)}`", files, rest)
        number += 1
    for name, objects in files.items():
        for what, changed in _altered(objects):
            yield _written(
                scratch / str(number), f"{name}: {what}", {**files, name: changed}, lines
            )
            number += 1


def _altered(objects: list[Any]) -> Iterator[tuple[str, list[Any]]]:
    for index, obj in enumerate(objects):
        name = f"{obj['kind']}/{manifests.name_of(obj)}"
        yield f"without {name}", objects[:index] + objects[index + 1 :]
        for path in _numbers(obj.get("spec"), ("spec",)):
            changed = copy.deepcopy(objects)
            _bump(changed[index], path)
            yield f"{name} with another {'.'.join(map(str, path))}", changed


def _numbers(value: Any, path: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    """The paths of all weights, counts and percentages below `value` (ports are left alone: they only break)."""
    if isinstance(value, dict):
        for key, item in value.items():
            if "port" not in str(key).lower():
                yield from _numbers(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _numbers(item, (*path, index))
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield path


def _bump(obj: Any, path: tuple[Any, ...]) -> None:
    for step in path[:-1]:
        obj = obj[step]
    value = obj[path[-1]]
    obj[path[-1]] = value + 1 if value < 10 else value // 2


def _written(
    folder: Path, what: str, files: dict[str, list[Any]], lines: list[list[str]]
) -> Mutant:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, objects in files.items():
        (folder / name).write_text(yaml.safe_dump_all(objects), encoding="utf-8")
    text = "\n".join(shlex.join(words) for words in lines)
    (folder / steps.STEPS).write_text(text, encoding="utf-8")
    return Mutant(what, folder)
