"""Which processes belong to a cluster, whether a process is still the one that was meant, and what memory they use.

Linux reads /proc; elsewhere ``ps`` is asked. A process belongs to a cluster if its environment names the
cluster's state directory, or if it works in a pod's directory without a terminal (a learner's shell may be
there too, and is not ours to kill); both survive the death of its parents. Source: proc(5), ps(1).
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

#: Set by the daemon for itself and everything below it.
MARKER = "MESHCOURSE_CLUSTER_DIR"

_LINUX = sys.platform == "linux"


def identity(pid: int) -> str:
    """Something that differs between two processes that had the same pid one after the other; "" if there is none."""
    if _LINUX:
        try:
            stat = Path(f"/proc/{pid}/stat").read_bytes()
        except OSError:
            return ""
        fields = stat.rpartition(b")")[2].split()
        return "" if fields[0] in (b"Z", b"X") else fields[19].decode()
    done = subprocess.run(
        ["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    text = done.stdout.strip()
    return "" if text.startswith("Z") else text.partition(" ")[2].strip()


def command_line(pid: int) -> str:
    """The command line as one string; "" if the process is gone."""
    if _LINUX:
        try:
            raw = Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            return ""
        return raw.rstrip(b"\0").replace(b"\0", b" ").decode(errors="replace").strip()
    done = subprocess.run(
        ["ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return done.stdout.strip()


def members(directory: Path) -> list[int]:
    """The living processes of the cluster whose state is in `directory`, without the calling process."""
    found = _members_linux(directory) if _LINUX else _members_ps(directory)
    return [pid for pid in found if pid != os.getpid()]


def _members_linux(directory: Path) -> Iterator[int]:
    marker = f"{MARKER}={directory}\0".encode()
    inside = f"{directory}/pods/"
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            mine = marker in (entry / "environ").read_bytes() + b"\0"
            cwd = os.readlink(entry / "cwd")
            mine = mine or (cwd.startswith(inside) and not _has_terminal(entry))
        except OSError:
            continue  # gone, or somebody else's
        if mine and identity(int(entry.name)):
            yield int(entry.name)


def _has_terminal(entry: Path) -> bool:
    """Whether the process has a controlling terminal (field tty_nr)."""
    return (entry / "stat").read_bytes().rpartition(b")")[2].split()[4] != b"0"


def _members_ps(directory: Path) -> Iterator[int]:
    done = subprocess.run(
        ["ps", "-axEo", "pid=,command="], capture_output=True, text=True, check=False
    )
    for line in done.stdout.splitlines():
        pid, _, command = line.strip().partition(" ")
        if f"{MARKER}={directory}" in command or f"={directory}/" in command:
            yield int(pid)


def memory(pid: int) -> int:
    """Proportional set size in bytes (resident set size where the system has no PSS); 0 if the process is gone."""
    if not _LINUX:
        done = subprocess.run(
            ["ps", "-o", "rss=", "-p", str(pid)], capture_output=True, text=True, check=False
        )
        return int(done.stdout.strip() or 0) * 1024
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0
    for line in rollup.splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0
