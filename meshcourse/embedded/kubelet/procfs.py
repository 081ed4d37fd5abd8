"""CPU time and memory of process trees, from /proc (Linux) or ps (elsewhere).

Memory is the proportional set size where the system knows it: forked containers share most of their pages, and
the resident size would count them again for each. Source: proc(5).
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

_LINUX = sys.platform == "linux"
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


def tree(pid: int) -> Iterator[int]:
    """The process and its descendants that live now."""
    yield pid
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return
    for child in children:
        yield from tree(int(child))


def cpu_seconds(pid: int) -> float:
    """CPU time used by a process tree so far, with that of children it has waited for."""
    if not _LINUX:
        return _ps(pid, "time")
    total = 0
    for each in tree(pid):
        try:
            fields = Path(f"/proc/{each}/stat").read_bytes().rpartition(b")")[2].split()
        except OSError:
            continue
        total += sum(int(value) for value in fields[11:15])
    return total / _TICKS


def memory_bytes(pid: int) -> int:
    """Memory of a process tree."""
    if not _LINUX:
        return int(_ps(pid, "rss") * 1024)
    return sum(_pss(each) for each in tree(pid))


def _pss(pid: int) -> int:
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE
    except OSError:
        return 0


def node_cpu_seconds() -> float:
    """CPU time that the machine has spent not idle."""
    if not _LINUX:
        return sum(os.times()[:4])
    fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    user, nice, system, _idle, _iowait, irq, softirq, steal = (int(value) for value in fields[:8])
    return (user + nice + system + irq + softirq + steal) / _TICKS


def node_memory_bytes() -> int:
    """Memory in use on the machine."""
    if not _LINUX:
        return 0
    found = {}
    for line in Path("/proc/meminfo").read_text().splitlines():
        name, _, rest = line.partition(":")
        found[name] = int(rest.split()[0]) * 1024
    return found["MemTotal"] - found.get("MemAvailable", found.get("MemFree", 0))


def _ps(pid: int, what: str) -> float:
    done = subprocess.run(
        ["ps", "-o", f"{what}=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    text = done.stdout.strip()
    seconds = 0.0
    for part in text.split(":"):
        seconds = seconds * 60 + float(part or 0)
    return seconds
