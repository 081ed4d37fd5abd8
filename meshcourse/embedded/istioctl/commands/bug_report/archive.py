"""A compressed archive that only its owner can read."""

from __future__ import annotations

import io
import os
import tarfile
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

_ROOT = "bug-report"


def write(path: Path, files: Mapping[str, bytes]) -> None:
    """Write all files below ``bug-report/``, atomically and with mode 0600.

    :param files: content by relative path.
    :raises OSError: if the archive cannot be written; nothing of it is left then.
    """
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # 0600
    try:
        with os.fdopen(handle, "wb") as stream, tarfile.open(fileobj=stream, mode="w:gz") as tar:
            for member in sorted(files):
                _add(tar, member, files[member])
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise


def _add(tar: tarfile.TarFile, member: str, content: bytes) -> None:
    info = tarfile.TarInfo(f"{_ROOT}/{member}")
    info.size, info.mode, info.mtime = len(content), 0o600, int(time.time())
    tar.addfile(info, io.BytesIO(content))
