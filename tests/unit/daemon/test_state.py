"""The state directory: names, modes, numbers, atomic files."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from meshcourse.embedded.daemon import state
from meshcourse.errors import MeshcourseError


@pytest.fixture(autouse=True)
def _state_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("name", ["a", "mesh-1", "0x", "a" * 40])
def test_names_that_are_dns_labels_are_accepted(name: str, tmp_path: Path) -> None:
    assert state.of(name).directory == tmp_path / "meshcourse" / name


@pytest.mark.parametrize("name", ["", "A", "-a", "a-", "a.b", "../x", "a/b", "a" * 41, "ä"])
def test_other_names_are_refused_with_a_remedy(name: str) -> None:
    with pytest.raises(MeshcourseError, match="invalid cluster name") as caught:
        state.of(name)
    assert "lower case" in caught.value.remedy


def test_a_relative_state_home_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "relative")
    monkeypatch.setenv("HOME", "/home/learner")
    assert state.root() == Path("/home/learner/.local/state/meshcourse")


def test_the_directory_is_for_its_owner_only() -> None:
    own = state.of("mesh")
    own.make()
    own.directory.chmod(0o755)
    own.make()
    assert mode(own.directory) == 0o700


def test_a_file_is_replaced_whole_and_private(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("old")
    state.write_atomic(path, "new")
    assert path.read_text() == "new"
    assert mode(path) == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["secret"]


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(TypeError):
        state.write_atomic(path, 7)  # type: ignore[arg-type]
    assert path.read_text() == "old"
    assert [each.name for each in tmp_path.iterdir()] == ["file"]


def test_clusters_get_different_numbers_and_keep_them() -> None:
    numbers = set()
    for index in range(63):
        own = state.of(f"mesh-{index}")
        own.make()
        number = state.choose_number(own)
        state.write_atomic(own.info_file, json.dumps({"number": number}))
        assert state.choose_number(own) == number
        numbers.add(number)
    assert numbers == set(range(64, 127))
    late = state.of("one-too-many")
    with pytest.raises(MeshcourseError, match="all 63"):
        state.choose_number(late)


def test_unreadable_info_is_no_info() -> None:
    own = state.of("mesh")
    own.make()
    own.info_file.write_text("{")
    assert own.info() == {}
    own.info_file.write_text("[1]")
    assert own.info() == {}
