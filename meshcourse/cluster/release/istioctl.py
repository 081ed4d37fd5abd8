"""Which istioctl to run: ``$MESHCOURSE_ISTIOCTL``, the right version on PATH, the one kept, or the release's.

An archive is neither unpacked nor executed before its SHA-256 was compared; the program appears in the cache at once.
"""

from __future__ import annotations

import io
import json
import os
import platform
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

from meshcourse import versions
from meshcourse.cluster.errors import ClusterError
from meshcourse.cluster.progress import Progress
from meshcourse.cluster.release import download

#: A program that is taken as it is.
PROGRAM_VARIABLE = "MESHCOURSE_ISTIOCTL"
#: An archive on this machine, with ``.sha256`` beside it.
ARCHIVE_VARIABLE = "MESHCOURSE_ISTIOCTL_ARCHIVE"
#: The sum that the archive must have, for those who trust a sum more than the file beside it.
SUM_VARIABLE = "MESHCOURSE_ISTIOCTL_SHA256"
#: Where releases are: ``MIRROR/VERSION/istioctl-VERSION-OS-ARCH.tar.gz``.
MIRROR_VARIABLE = "MESHCOURSE_ISTIO_MIRROR"
RELEASES = "https://github.com/istio/istio/releases/download"

_SYSTEMS = {"Linux": "linux", "Darwin": "osx"}
_MACHINES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


def find(progress: Progress, version: str = versions.ISTIO) -> Path:
    """An istioctl of `version` that can be executed now.

    :raises ClusterError: if there is none and none can be had; nothing is left behind then.
    """
    if chosen := os.environ.get(PROGRAM_VARIABLE):
        return _chosen(Path(chosen).expanduser(), version)
    on_path = shutil.which("istioctl")
    if on_path and version_of(Path(on_path)) == version:
        return Path(on_path)
    kept = cache() / version / "istioctl"
    if kept.is_file() and version_of(kept) == version:
        return kept
    return _fetch(kept, version, progress)


def cache() -> Path:
    """``$XDG_CACHE_HOME/meshcourse/istio``."""
    base = os.environ.get("XDG_CACHE_HOME") or ""
    home = Path(base) if base.startswith("/") else Path.home() / ".cache"
    return home / "meshcourse" / "istio"


def version_of(program: Path) -> str:
    """What a program says of itself (``version --remote=false -o json``), "" if it is no istioctl that runs."""
    try:
        done = subprocess.run(
            [str(program), "version", "--remote=false", "-o", "json"],
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        )
        return str(json.loads(done.stdout)["clientVersion"]["version"])
    except (OSError, subprocess.SubprocessError, ValueError, KeyError, TypeError):
        return ""


def archive_name(version: str, system: str = "", machine: str = "") -> str:
    """The release's file for a system (default: this one).

    :raises ClusterError: if Istio publishes none.
    """
    system, machine = system or platform.system(), machine or platform.machine()
    if system not in _SYSTEMS or machine.lower() not in _MACHINES:
        raise ClusterError(
            f"Istio publishes no istioctl for {system} on {machine}",
            remedy=f"Build one, and set {PROGRAM_VARIABLE} to its path.",
        )
    return f"istioctl-{version}-{_SYSTEMS[system]}-{_MACHINES[machine.lower()]}.tar.gz"


def _chosen(program: Path, version: str) -> Path:
    found = version_of(program)
    if not found:
        raise ClusterError(
            f"{PROGRAM_VARIABLE} names {program}, which is no istioctl that runs",
            remedy="Set it to the path of the program, or unset it.",
        )
    if found != version:
        raise ClusterError(
            f"{PROGRAM_VARIABLE} names istioctl {found}; this course teaches Istio {version}",
            remedy=f"Unset {PROGRAM_VARIABLE}: the right one is fetched then.",
        )
    return program


def _fetch(target: Path, version: str, progress: Progress) -> Path:
    source = os.environ.get(ARCHIVE_VARIABLE) or "/".join(
        (os.environ.get(MIRROR_VARIABLE, RELEASES).rstrip("/"), version, archive_name(version))
    )
    _writable(target.parent)
    with progress.stage(f"istioctl {version}"):
        data = download.verified(
            source,
            checksum=os.environ.get(SUM_VARIABLE, ""),
            on_bytes=lambda done, whole: progress.note(_share(done, whole)),
        )
        _keep(target, _program(source, data))
    found = version_of(target)
    if found != version:
        target.unlink()
        raise ClusterError(
            f"{source} holds istioctl {found or 'that does not run here'}, not {version}",
            remedy="The archive must be that of this version, system and processor: "
            f"{archive_name(version)}.",
        )
    return target


def _share(done: int, whole: int) -> str:
    of = f" of {whole / 2**20:.0f}" if whole else ""
    return f"{done / 2**20:.0f}{of} MiB"


def _writable(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise ClusterError(
            f"{folder} cannot be written: {error.strerror}",
            remedy="Set XDG_CACHE_HOME to a folder that is yours.",
        ) from error


def _program(source: str, data: bytes) -> bytes:
    """The file ``istioctl`` of an archive; nothing else of it is ever written."""
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as archive:
            for member in archive:
                file = archive.extractfile(member) if member.isfile() else None
                if file is not None and Path(member.name).name == "istioctl":
                    return file.read()
    except (tarfile.TarError, OSError, EOFError) as error:
        raise ClusterError(f"{source} is no archive: {error}", remedy="Fetch it again.") from error
    raise ClusterError(
        f"{source} holds no istioctl", remedy="Is it the release's istioctl archive?"
    )


def _keep(target: Path, program: bytes) -> None:
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=".istioctl-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(program)
        os.chmod(name, 0o755)
        os.replace(name, target)
    except BaseException:
        os.unlink(name)
        raise
