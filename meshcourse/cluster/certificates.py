"""A server's certificate for a lesson, as files: what one otherwise gets from an authority that browsers know."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from meshcourse.cluster.authority import Authority


@dataclass(frozen=True, slots=True)
class Files:
    """PEM files: what clients need who want to trust it, the certificate, its private key (0600)."""

    authority: Path
    certificate: Path
    key: Path


def make(host: str, folder: Path | None = None) -> Files:
    """An authority that nobody knows yet, and a certificate for `host` that it has signed.

    :param folder: where the files go (default: a folder of their own, gone when this process ends).
    """
    if folder is None:
        folder = Path(tempfile.mkdtemp(prefix="meshcourse-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
    authority = Authority("An authority for lessons")
    certificate, key = authority.server(host)
    return Files(
        _write(folder / "authority.pem", authority.root),
        _write(folder / f"{host}.pem", certificate),
        _write(folder / f"{host}.key", key),
    )


def _write(path: Path, text: str) -> Path:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    return path
