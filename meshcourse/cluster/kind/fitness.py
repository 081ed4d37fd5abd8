"""Is this machine fit for a kind cluster? Each finding says what was seen, and its remedy if something is missing."""

from __future__ import annotations

import contextlib
import platform
import re
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

from meshcourse.cluster import preflight
from meshcourse.cluster.errors import ClusterError
from meshcourse.cluster.kind import commands, configuration, engines
from meshcourse.cluster.preflight import Finding

#: What Kubernetes, Istio's demo profile, Bookinfo and the add-ons take together, estimated, in MiB.
MEMORY, DISK = 4096, 10240
#: With fewer nothing starts; with fewer than kind's "Known Issues" advise, some pods may not.
_INOTIFY = {"max_user_instances": (128, 512), "max_user_watches": (8192, 524288)}
_MACHINES = ("x86_64", "amd64", "aarch64", "arm64")
_INSTALL = "https://kind.sigs.k8s.io/docs/user/quick-start/#installation"


def examine(*, ports: bool = True) -> list[Finding]:
    """Everything, in the order in which it matters.

    :param ports: also whether the ports are free, which they are not while the cluster runs.
    """
    found = [_kind()]
    engine = None
    try:
        engine = engines.find()
        seen = f"{engine.name} {engine.version}".strip()
        found.append(Finding("container engine", True, f"{seen} answers"))
    except ClusterError as error:
        found.append(Finding("container engine", False, error.message, error.remedy))
    if engine is not None:
        found += [_machine(engine), _memory(engine), _disk(engine)]
    return [*found, *_inotify(), *([ports_free(configuration.base())] if ports else [])]


def demand(found: list[Finding]) -> None:
    """Nothing if the machine is fit.

    :raises ClusterError: with everything that is not, and the remedy of each.
    """
    bad = [item for item in found if item.needed and not item.ok]
    if bad:
        raise ClusterError(
            "; ".join(f"{item.name}: {item.seen}" for item in bad),
            remedy="\n  → ".join(item.remedy for item in bad),
        )


def _kind() -> Finding:
    program = shutil.which("kind")
    remedy = f"Install kind v{configuration.KIND} or newer: {_INSTALL}"
    if program is None:
        return Finding("kind", False, "not on PATH", remedy)
    version = version_of(program)
    if not version:
        return Finding("kind", False, f"{program} does not run", remedy)
    enough = _numbers(version) >= _numbers(configuration.KIND)
    seen = f"v{version}" if enough else f"v{version} is too old for the pinned node images"
    return Finding("kind", enough, seen, remedy)


def version_of(program: str) -> str:
    """``0.31.0`` of ``kind v0.31.0 go1.25.5 linux/amd64``; "" if it says nothing of that kind."""
    try:
        done = commands.run(program, "version", timeout=20.0)
    except ClusterError:
        return ""
    found = re.search(r"\bv?(\d+\.\d+\.\d+)", done.out) if done.code == 0 else None
    return found.group(1) if found else ""


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def _machine(engine: engines.Engine) -> Finding:
    seen = engine.machine or platform.machine()
    remedy = "kind publishes node images for x86-64 and arm64 only; use the embedded cluster here."
    return Finding("processor", seen.lower() in _MACHINES, seen, remedy)


def _memory(engine: engines.Engine) -> Finding:
    """Free memory where the engine shares this machine's, else what its virtual machine was given."""
    free = preflight.available_memory() if _shares(engine) else engine.memory or None
    if free is None:
        return Finding("engine's memory", True, "cannot be told here", needed=False)
    remedy = f"About {MEMORY} MiB are needed: close something, or give Docker Desktop more (Settings, Resources)."
    return Finding("engine's memory", free >= MEMORY, f"{free} MiB", remedy)


def _disk(engine: engines.Engine) -> Finding:
    if not engines.local(engine):
        return Finding("engine's disk", True, "cannot be told from here", needed=False)
    free = shutil.disk_usage(engine.root).free // 2**20
    remedy = (
        f"Images need about {DISK} MiB: `{engine.name} system prune` frees what no container uses."
    )
    return Finding("engine's disk", free >= DISK, f"{free} MiB at {engine.root}", remedy)


def _shares(engine: engines.Engine) -> bool:
    return platform.system() == "Linux" and (engines.local(engine) or not engine.memory)


def _inotify(folder: Path = Path("/proc/sys/fs/inotify")) -> Iterator[Finding]:
    """Limits of the kernel, which containers share."""
    for name, (least, advised) in _INOTIFY.items():
        with contextlib.suppress(OSError):
            value = int((folder / name).read_text())
            remedy = f"`sudo sysctl fs.inotify.{name}={advised}`"
            yield Finding(
                f"inotify {name.removeprefix('max_user_')}", value >= advised, str(value), remedy,
                needed=value < least,
            )  # fmt: skip


def ports_free(first: int) -> Finding:
    """Can somebody listen on every port that is to be mapped?"""
    busy = [port for port in range(first, first + configuration.COUNT) if not _free(port)]
    span = f"{first}-{first + configuration.COUNT - 1}"
    remedy = (
        f"Stop what listens there, or choose other ones: {commands.PORTS_VARIABLE}="
        f"{31000 if first != 31000 else 32000} is the first of {configuration.COUNT}."
    )
    seen = f"{span} are free" if not busy else f"{', '.join(map(str, busy[:4]))} is in use"
    return Finding("ports", not busy, seen, remedy)


def _free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
