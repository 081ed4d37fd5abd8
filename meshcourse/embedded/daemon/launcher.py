"""Start, find and stop an embedded cluster. The only module of the engine that the course imports.

Standard library only, so that a command line starts quickly. A cluster is one detached daemon; everything else is below
it and dies with it.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from meshcourse.embedded.daemon import census, state
from meshcourse.embedded.kubelet import catalogue
from meshcourse.embedded.kubelet.layout import Layout
from meshcourse.errors import MeshcourseError

DEFAULT_NAME = state.DEFAULT_NAME
#: How long a daemon may take to come up or to stop before that is an error, in seconds.
START_LIMIT, STOP_LIMIT = 60.0, 20.0


@dataclass(frozen=True, slots=True)
class Stage:
    """One step of coming up and how long it took, in seconds."""

    name: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Handle:
    """A running cluster.

    :param attached: it was already running.
    :param stages: the steps of this start, in order (empty when attached).
    """

    name: str
    pid: int
    url: str
    kubeconfig: Path
    attached: bool
    stages: list[Stage] = field(default_factory=list)


def up(name: str = DEFAULT_NAME, on_progress: Callable[[Stage], None] | None = None) -> Handle:
    """Attach to the cluster, resume it from its state, or create it.

    :raises MeshcourseError: if the name is invalid or the daemon does not come up; carries its last log lines.
    """
    own = state.of(name)
    own.make()
    with _locked(own):
        if _running(own):
            return _handle(own, _await_info(own), attached=True, stages=[])
        _sweep(own)
        _forget_ready(own)
        stages = _start(own, on_progress or (lambda stage: None))
        return _handle(own, own.info(), attached=False, stages=stages)


def down(name: str = DEFAULT_NAME, *, delete: bool = False) -> bool:
    """Stop the cluster and everything in it; afterwards no process, port or socket of it is left.

    :param delete: remove its state too; otherwise the next `up` resumes with every object.
    :returns: whether there was anything to stop or remove.
    """
    own = state.of(name)
    if not own.directory.exists():
        return False
    with _locked(own):
        pid = _running(own)
        if pid:
            os.kill(pid, signal.SIGTERM)
            if not _gone([pid], STOP_LIMIT):
                os.kill(pid, signal.SIGKILL)
        _sweep(own)
        for path in (own.pid_file, *own.directory.rglob("*.sock")):
            path.unlink(missing_ok=True)
        if delete:
            shutil.rmtree(own.directory)
    return True


def list_clusters() -> list[str]:
    """The names of all clusters that have state, running or not."""
    return [name for name in state.names() if state.of(name).info_file.exists()]


def kubeconfig_path(name: str = DEFAULT_NAME) -> Path:
    """Where the cluster's kubeconfig is.

    :raises MeshcourseError: if there is no such cluster.
    """
    own = state.of(name)
    if not own.kubeconfig.exists():
        raise MeshcourseError(
            f'there is no cluster "{name}"', remedy=f"start it: meshcourse up --name {name}"
        )
    return own.kubeconfig


def logs(name: str = DEFAULT_NAME, lines: int = 100) -> str:
    """The last lines of the daemon's log; "" if there is none."""
    try:
        text = state.of(name).log_file.read_text(errors="replace")
    except FileNotFoundError:
        return ""
    return "\n".join(text.splitlines()[-lines:])


def status(name: str = DEFAULT_NAME) -> dict[str, Any]:
    """What is known of a cluster, as JSON-ready values.

    Keys: ``name``, ``running``, ``pid``, ``url``, ``kubeconfig``, ``directory``, ``number``, ``version``,
    ``processes`` (list of ``pid``, ``kind``, ``command``, ``memory`` in bytes PSS), ``memory`` (their sum),
    ``memory_by_kind``, and ``pods`` (list of ``namespace``, ``name``, ``phase``, ``ready``, ``containers``,
    ``restarts``; None if the API server does not answer).
    """
    from meshcourse.embedded.daemon import report

    own = state.of(name)
    info = own.info()
    pid = _running(own)
    processes: list[dict[str, Any]] = [
        report.process(each) for each in (census.members(own.directory) if pid else [])
    ]
    return {
        "name": name,
        "running": bool(pid),
        "pid": pid or None,
        "url": info.get("url") if pid else None,
        "kubeconfig": str(own.kubeconfig) if own.kubeconfig.exists() else None,
        "directory": str(own.directory),
        "number": info.get("number"),
        "version": info.get("version"),
        "processes": processes,
        "memory": sum(each["memory"] for each in processes),
        "memory_by_kind": report.by_kind(processes),
        "pods": report.pods(own.kubeconfig) if pid else None,
    }


def add_image(image: str, command: Sequence[str], name: str = DEFAULT_NAME) -> str:
    """Make a program of the learner's an image of the cluster, running or not; its path in the catalogue.

    :raises MeshcourseError: if the name could not stand in a Pod, or the command is empty.
    """
    own = state.of(name)
    own.make()
    return catalogue.add(_own_images(own), image, command)


def remove_image(image: str, name: str = DEFAULT_NAME) -> bool:
    """Forget one of the learner's images; whether it was there."""
    return catalogue.remove(_own_images(state.of(name)), image)


def list_images(name: str = DEFAULT_NAME) -> dict[str, list[str]]:
    """Every image of the cluster: path → the learner's command, or [] for one of the course's."""
    from meshcourse.embedded.daemon import images

    own = state.of(name)
    mine = catalogue.own(_own_images(own))
    return {path: mine.get(path, []) for path in images.catalogue(own.directory).paths()}


def _own_images(own: state.State) -> Path:
    return Layout(own.directory).images


@contextlib.contextmanager
def _locked(own: state.State) -> Iterator[None]:
    """One `up` or `down` of a cluster at a time. The lock lives beside the directory, which may be removed."""
    path = own.directory.parent / f".{own.name}.lock"
    with path.open("a") as file:
        path.chmod(0o600)
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _running(own: state.State) -> int:
    """The daemon's pid, or 0. The pid counts only if the process is the very one that wrote it."""
    try:
        pid = int(own.pid_file.read_text())
    except (OSError, ValueError):
        return 0
    belongs = pid in census.members(own.directory)
    return pid if belongs and "embedded.daemon" in census.command_line(pid) else 0


def _await_info(own: state.State) -> dict[str, Any]:
    """The info of a running daemon; waits for one that another `up` started and did not see through."""
    deadline = time.monotonic() + START_LIMIT
    while time.monotonic() < deadline:
        info = own.info()
        if info.get("ready") and info.get("pid") == _running(own):
            return info
        time.sleep(0.05)
    raise _failure(own, "the cluster's daemon is running but does not become ready")


def _forget_ready(own: state.State) -> None:
    """The info of a daemon that is dead must not be taken for the next one's."""
    info = own.info()
    if info.get("ready"):
        state.write_atomic(own.info_file, json.dumps({**info, "ready": False}))


def _start(own: state.State, on_progress: Callable[[Stage], None]) -> list[Stage]:
    reader, writer = os.pipe()
    own.log_file.touch(mode=0o600)
    with own.log_file.open("ab") as log, os.fdopen(reader) as progress:
        try:
            # It forks once more and lets go, so that no zombie stays with a long-lived caller.
            subprocess.run(
                [
                    *(sys.executable, "-m", "meshcourse.embedded.daemon"),
                    *("--name", own.name, "--progress-fd", str(writer)),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=[writer],
                start_new_session=True,
                cwd=own.directory,
                env={**os.environ, census.MARKER: str(own.directory)},
                check=True,
            )
        finally:
            os.close(writer)
        return _follow(own, progress, on_progress)


def _follow(
    own: state.State, progress: IO[str], on_progress: Callable[[Stage], None]
) -> list[Stage]:
    """Read the daemon's progress until it says that it is ready or closes the pipe by dying."""
    stages: list[Stage] = []
    for line in progress:
        message = json.loads(line)
        if message.get("ready"):
            return stages
        stages.append(Stage(message["stage"], message["seconds"]))
        on_progress(stages[-1])
    failure = _failure(own, "the cluster's daemon ended while starting")
    _sweep(own)  # it may have left its children a moment to live
    raise failure


def _failure(own: state.State, what: str) -> MeshcourseError:
    tail = logs(own.name, 12)
    return MeshcourseError(
        f"{what}\n{tail}".rstrip(),
        remedy=f"run `meshcourse doctor`; the whole log: {own.log_file}",
    )


def _handle(
    own: state.State, info: dict[str, Any], *, attached: bool, stages: list[Stage]
) -> Handle:
    return Handle(own.name, info["pid"], info["url"], own.kubeconfig, attached, stages)


def _sweep(own: state.State) -> None:
    """Kill what a dead daemon may have left; normally there is nothing."""
    left = census.members(own.directory)
    for pid in left:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)
    if not _gone(left, 5.0):
        raise MeshcourseError(
            f"processes of cluster {own.name} cannot be stopped: {left}",
            remedy="stop them by hand and try again",
        )


def _gone(pids: list[int], limit: float) -> bool:
    """Wait until none of the processes lives; whether that was so within the limit."""
    deadline = time.monotonic() + limit
    while any(census.identity(pid) for pid in pids):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True
