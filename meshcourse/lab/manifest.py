"""The course's manifest, ``labs/course.toml``: the only source of order, titles, minutes and prerequisites."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from meshcourse import paths
from meshcourse.errors import MeshcourseError

_SLUG = re.compile(r"\d\d-[a-z0-9]+(-[a-z0-9]+)*")


@dataclass(frozen=True, slots=True)
class Notebook:
    """One notebook.

    :param needs: components that its setup cell brings in.
    :param minutes: for a learner who reads and does.
    """

    slug: str
    title: str
    minutes: int
    needs: tuple[str, ...]
    path: Path


@dataclass(frozen=True, slots=True)
class Lab:
    """One exercise and where its parts are."""

    slug: str
    title: str
    minutes: int
    notebook: str
    needs: tuple[str, ...]
    folder: Path

    @property
    def task(self) -> str:
        """The text of the task."""
        return (self.folder / "README.md").read_text(encoding="utf-8")

    @property
    def checks(self) -> Path:
        return self.folder / "checks.py"

    @property
    def start(self) -> Path:
        return self.folder / "start"

    @property
    def solution(self) -> Path:
        return self.folder / "solution"

    @property
    def hints(self) -> list[str]:
        """The hints in order; each is a second-level section of ``hints.md``."""
        text = (self.folder / "hints.md").read_text(encoding="utf-8")
        return [part.partition("\n")[2].strip() for part in re.split(r"^## ", text, flags=re.M)[1:]]


@dataclass(frozen=True, slots=True)
class Course:
    """Everything the manifest lists, in order."""

    title: str
    notebooks: tuple[Notebook, ...]
    labs: tuple[Lab, ...]

    def lab(self, slug: str) -> Lab:
        """A lab by its slug, by its number, or by a part of the slug that no other has.

        :raises MeshcourseError: if there is none, or more than one.
        """
        found = [lab for lab in self.labs if lab.slug == slug]
        found = found or [lab for lab in self.labs if slug and slug in lab.slug]
        if len(found) == 1:
            return found[0]
        known = ", ".join(lab.slug for lab in found or self.labs)
        problem = "means several labs" if found else "is no lab"
        raise MeshcourseError(f'"{slug}" {problem}', remedy=f"Choose one of: {known}.")


def read(home: Path | None = None) -> Course:
    """The manifest of the course in `home` (default: where the course is).

    :raises MeshcourseError: if an entry is incomplete, out of order, or names files that are not there.
    """
    root = home or paths.home()
    data = tomllib.loads((root / paths.MARK).read_text(encoding="utf-8"))
    notebooks = tuple(_notebook(entry, root) for entry in data.get("notebook", []))
    labs = tuple(_lab(entry, root) for entry in data.get("lab", []))
    course = Course(_field(data, "title", str, "the course"), notebooks, labs)
    for problem in _problems(course):
        raise MeshcourseError(f"labs/course.toml: {problem}")
    return course


def _notebook(entry: dict[str, Any], root: Path) -> Notebook:
    slug = _slug(entry)
    return Notebook(
        slug,
        _field(entry, "title", str, slug),
        _field(entry, "minutes", int, slug),
        tuple(entry.get("needs", ())),
        root / "notebooks" / f"{slug}.ipynb",
    )


def _lab(entry: dict[str, Any], root: Path) -> Lab:
    slug = _slug(entry)
    return Lab(
        slug,
        _field(entry, "title", str, slug),
        _field(entry, "minutes", int, slug),
        _field(entry, "notebook", str, slug),
        tuple(entry.get("needs", ())),
        root / "labs" / slug,
    )


def _slug(entry: dict[str, Any]) -> str:
    slug: str = _field(entry, "slug", str, "an entry")
    if not _SLUG.fullmatch(slug):
        raise MeshcourseError(f'labs/course.toml: "{slug}" is not of the form 03-bookinfo')
    return slug


def _field(entry: dict[str, Any], name: str, kind: type, where: str) -> Any:
    value = entry.get(name)
    if not isinstance(value, kind) or not value:
        raise MeshcourseError(f"labs/course.toml: {where} has no `{name}` ({kind.__name__})")
    return value


def _problems(course: Course) -> list[str]:
    found = []
    for what, slugs in (
        ("notebooks", [item.slug for item in course.notebooks]),
        ("labs", [item.slug for item in course.labs]),
    ):
        if not slugs:
            found.append(f"lists no {what}")
        if slugs != sorted(set(slugs)):
            found.append(f"{what} are out of order, or one is listed twice")
    known = {item.slug for item in course.notebooks}
    found += [
        f"lab {lab.slug} belongs to no notebook" for lab in course.labs if lab.notebook not in known
    ]
    found += [f"{item.path} is missing" for item in course.notebooks if not item.path.is_file()]
    return found + [problem for lab in course.labs for problem in _lab_problems(lab)]


def _lab_problems(lab: Lab) -> list[str]:
    missing = [
        f"{lab.slug}/{name} is missing"
        for name in ("README.md", "hints.md", "checks.py", "start", "solution")
        if not (lab.folder / name).exists()
    ]
    if missing:
        return missing
    empty = [f"{lab.slug}/{name} is empty" for name in ("README.md",) if not lab.task.strip()]
    if len(lab.hints) < 2 or not all(lab.hints):
        empty.append(f"{lab.slug}/hints.md needs at least two hints, each a section with a text")
    return empty
