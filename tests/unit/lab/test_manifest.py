from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from meshcourse import paths
from meshcourse.errors import MeshcourseError
from meshcourse.lab import manifest
from tests.unit.lab.conftest import COURSE


def test_the_manifest_lists_notebooks_and_labs_in_order(home: Path) -> None:
    course = manifest.read(home)
    assert course.title == "A small course"
    assert [item.slug for item in course.notebooks] == ["00-start"]
    lab = course.lab("00-hello")
    assert lab.hints == ["first hint", "second hint"]
    assert lab.task.startswith("# Hello")
    assert course.lab("hello") is lab


def test_an_unknown_lab_lists_those_there_are(home: Path) -> None:
    with pytest.raises(MeshcourseError, match='"99" is no lab') as error:
        manifest.read(home).lab("99")
    assert "00-hello" in error.value.remedy


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('slug = "00-hello"', 'slug = "Hello"', "not of the form"),
        ('title = "Hello"', "", "00-hello has no `title`"),
        ("minutes = 5\nnotebook", "notebook", "00-hello has no `minutes`"),
        ('notebook = "00-start"', 'notebook = "01-other"', "belongs to no notebook"),
        ('title = "A small course"', "", "has no `title`"),
    ],
)
def test_an_incomplete_manifest_is_refused(home: Path, old: str, new: str, message: str) -> None:
    assert old in COURSE
    (home / "labs" / "course.toml").write_text(COURSE.replace(old, new, 1))
    with pytest.raises(MeshcourseError, match=message):
        manifest.read(home)


def test_a_notebook_that_is_not_there_is_refused(home: Path) -> None:
    (home / "notebooks" / "00-start.ipynb").unlink()
    with pytest.raises(MeshcourseError, match=r"00-start.ipynb is missing"):
        manifest.read(home)


def test_a_manifest_without_entries_is_refused(home: Path) -> None:
    (home / "labs" / "course.toml").write_text('title = "x"')
    with pytest.raises(MeshcourseError, match="lists no notebooks"):
        manifest.read(home)


def test_entries_out_of_order_are_refused(home: Path) -> None:
    lab = COURSE[COURSE.index("[[lab]]") :]
    (home / "labs" / "course.toml").write_text(COURSE + lab)
    with pytest.raises(MeshcourseError, match="out of order, or one is listed twice"):
        manifest.read(home)


@pytest.mark.parametrize("name", ["README.md", "hints.md", "checks.py", "solution"])
def test_a_lab_without_one_of_its_parts_is_refused(home: Path, name: str) -> None:
    path = home / "labs" / "00-hello" / name
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    with pytest.raises(MeshcourseError, match=f"00-hello/{name} is missing"):
        manifest.read(home)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("README.md", " \n", "README.md is empty"),
        ("hints.md", "# Hints\n\n## Only one\ntext\n", "at least two hints"),
        ("hints.md", "# Hints\n\n## One\ntext\n\n## Two\n", "at least two hints"),
    ],
)
def test_empty_texts_are_refused(
    home: Path, edit: Callable[[str, str], None], name: str, text: str, message: str
) -> None:
    edit(name, text)
    with pytest.raises(MeshcourseError, match=message):
        manifest.read(home)


def test_the_course_is_found_from_below_and_by_name(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(home / "notebooks")
    assert paths.home() == home
    monkeypatch.chdir("/")
    monkeypatch.setenv("MESHCOURSE_HOME", str(home))
    assert paths.home() == home
    monkeypatch.setenv("MESHCOURSE_HOME", "/nowhere")
    with pytest.raises(MeshcourseError, match="is not here"):
        paths.home()


def test_a_relative_state_folder_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "relative")
    assert paths.state() == Path.home() / ".local" / "state" / "meshcourse"
