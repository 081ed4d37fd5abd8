"""Whose process is it, is it still the same, and how large is it."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from meshcourse.embedded.daemon import census

SLEEP = [sys.executable, "-c", "import sys; sys.stdin.read()"]
Start = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def start() -> Iterator[Start]:
    """Start a process that lives until its standard input is closed."""
    running: list[subprocess.Popen[bytes]] = []

    def begin(**options: object) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(SLEEP, stdin=subprocess.PIPE, **options)  # type: ignore[call-overload]
        running.append(process)
        return process  # type: ignore[no-any-return]

    yield begin
    for process in running:
        process.communicate()


def test_a_process_belongs_by_its_environment(start: Start, tmp_path: Path) -> None:
    mine = start(env={**os.environ, census.MARKER: str(tmp_path)})
    other = start(env={**os.environ, census.MARKER: f"{tmp_path}-2"})
    found = census.members(tmp_path)
    assert mine.pid in found
    assert other.pid not in found


def test_a_process_without_a_terminal_belongs_by_its_working_directory(
    start: Start, tmp_path: Path
) -> None:
    inside = tmp_path / "pods" / "uid"
    inside.mkdir(parents=True)
    assert census.members(tmp_path) == []
    process = start(cwd=inside, start_new_session=True)
    assert census.members(tmp_path) == [process.pid]


def test_a_learner_s_shell_in_the_directory_does_not_belong(tmp_path: Path) -> None:
    inside = tmp_path / "pods" / "uid"
    inside.mkdir(parents=True)
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(inside)
        os.execv(SLEEP[0], SLEEP)
    try:
        _until(lambda: os.readlink(f"/proc/{pid}/cwd") == str(inside))
        assert census.members(tmp_path) == []
    finally:
        os.kill(pid, 9)
        os.waitpid(pid, 0)
        os.close(terminal)


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_identity_ends_with_the_process_even_before_it_is_reaped(start: Start) -> None:
    process = start()
    assert census.identity(process.pid) != ""
    assert census.identity(process.pid) == census.identity(process.pid)
    assert process.stdin is not None
    process.stdin.close()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # ended, still a zombie
    assert census.identity(process.pid) == ""


def test_two_processes_differ_in_identity(start: Start) -> None:
    first = start()
    assert census.identity(first.pid) != census.identity(os.getpid())


def test_memory_is_that_of_a_python_process(start: Start) -> None:
    process = start()
    assert 1 << 20 < census.memory(os.getpid()) < 4 << 30
    assert census.memory(process.pid) > 0
    assert "sys.stdin.read()" in census.command_line(process.pid)


def test_nothing_is_known_of_a_process_that_is_not_there() -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    assert census.identity(gone.pid) == ""
    assert census.memory(gone.pid) == 0
    assert census.command_line(gone.pid) == ""
