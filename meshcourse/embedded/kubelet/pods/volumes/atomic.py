"""Write the files of a volume so that a reader sees all of the old or all of the new.

Layout as kubelet's AtomicWriter: files in a new time-stamped directory, a ``..data`` symlink switched by
rename, and a symlink per visible name through ``..data``.
"""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

from meshcourse.embedded.kubelet.pods.volumes.content import Files

_DATA = "..data"


def write(directory: Path, files: Files) -> None:
    """Make `directory` hold exactly `files`."""
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    payload = directory / f"..{time.strftime('%Y_%m_%d_%H_%M_%S')}.{time.time_ns() % 10**9:09d}"
    for path, file in files.items():
        target = payload / path
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        fd = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, file.mode | 0o200)
        with os.fdopen(fd, "wb") as out:
            out.write(file.data)
            os.fchmod(out.fileno(), file.mode)
    payload.mkdir(exist_ok=True, mode=0o700)
    old = _switch(directory, payload)
    _link_names(directory, {path.partition("/")[0] for path in files})
    if old is not None:
        shutil.rmtree(directory / old, ignore_errors=True)


def _switch(directory: Path, payload: Path) -> str | None:
    """Point ``..data`` at the new files; the name of the directory it pointed at."""
    data = directory / _DATA
    old = os.readlink(data) if data.is_symlink() else None
    temporary = directory / "..data_tmp"
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(payload.name)
    temporary.replace(data)
    return old


def _link_names(directory: Path, names: set[str]) -> None:
    for name in names:
        link = directory / name
        if not link.is_symlink():
            link.symlink_to(f"{_DATA}/{name}")
    for entry in list(directory.iterdir()):
        if not entry.name.startswith("..") and entry.name not in names:
            entry.unlink()
