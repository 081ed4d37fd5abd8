"""Where a cluster keeps its state: ``$XDG_STATE_HOME/meshcourse/<name>/``, directory mode 0700.

Source: XDG Base Directory Specification. Cluster names are RFC 1123 labels of at most 40 characters, because they
appear in process titles, socket paths and contexts.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from meshcourse.errors import MeshcourseError

DEFAULT_NAME = "meshcourse"
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?")


def root() -> Path:
    """The directory of all clusters."""
    base = os.environ.get("XDG_STATE_HOME") or ""
    # The specification says that a relative path is to be ignored.
    home = Path(base) if base.startswith("/") else Path.home() / ".local" / "state"
    return home / "meshcourse"


def write_atomic(path: Path, text: str, *, mode: int = 0o600) -> None:
    """Replace a file as a whole; readers see the old or the new content."""
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
        os.chmod(temporary, mode)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


@dataclass(frozen=True, slots=True)
class State:
    """The paths of one cluster."""

    name: str
    directory: Path

    @property
    def pid_file(self) -> Path:
        return self.directory / "daemon.pid"

    @property
    def info_file(self) -> Path:
        """JSON: ``pid``, ``started`` (identity of the process), ``number``, ``url``, ``version``."""
        return self.directory / "daemon.json"

    @property
    def log_file(self) -> Path:
        return self.directory / "daemon.log"

    @property
    def kubeconfig(self) -> Path:
        return self.directory / "kubeconfig"

    def make(self) -> None:
        """Create the directory (0700) if it is missing."""
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.directory.chmod(0o700)

    def info(self) -> dict[str, Any]:
        """What the last daemon wrote about itself; empty if none did."""
        try:
            found = json.loads(self.info_file.read_text())
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}


def of(name: str) -> State:
    """The state of a cluster by name.

    :raises MeshcourseError: if the name is not a DNS label of at most 40 characters.
    """
    if not _NAME.fullmatch(name):
        raise MeshcourseError(
            f'invalid cluster name "{name}"',
            remedy="use at most 40 lower case letters, digits and '-', starting and ending with a letter or digit",
        )
    return State(name, root() / name)


def names() -> list[str]:
    """Clusters that have a state directory, sorted."""
    try:
        entries = list(root().iterdir())
    except FileNotFoundError:
        return []
    return sorted(entry.name for entry in entries if entry.is_dir() and _NAME.fullmatch(entry.name))


def choose_number(own: State, free: Callable[[int], bool] = lambda number: True) -> int:
    """A number from 64 to 126 for the cluster's loopback /16, kept once chosen, different from every other cluster's.

    :param free: whether a number that no state directory has can really be had.
    :raises MeshcourseError: if all 63 are taken.
    """
    known = own.info().get("number")
    if isinstance(known, int):
        return known
    taken = {of(name).info().get("number") for name in names() if name != own.name}
    # Start from the name, so that two state roots (a test's and a learner's) seldom choose the same.
    start = sum(own.directory.as_posix().encode()) % 63
    for step in range(63):
        number = 64 + (start + step) % 63
        if number not in taken and free(number):
            return number
    raise MeshcourseError(
        "all 63 address ranges for clusters are taken",
        remedy="remove a cluster: meshcourse down --name NAME",
    )
