"""Programs that our images have in them, and how they get onto a container's PATH.

``python -m meshcourse.embedded.images.executables curl …`` runs one; `install` writes launchers that do.
"""

from __future__ import annotations

import importlib
import os
import shlex
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from meshcourse.embedded import images

MODULE = "meshcourse.embedded.images.executables"
Program = Callable[[list[str]], int | None]


def wanted(name: str, path: str | None = None) -> bool:
    """Whether our own program of that name is to be used, given the machine's PATH (None: the process's)."""
    if name not in images.EXECUTABLES:
        return False
    return name not in images.HOST_FIRST or shutil.which(name, path=path) is None


def function(name: str, path: str | None = None) -> Program | None:
    """Our program of that name, loaded; None if the machine's is to be used."""
    if not wanted(name, path):
        return None
    module, _, attribute = images.EXECUTABLES[name].partition(":")
    program: Program = getattr(importlib.import_module(module), attribute)
    return program


def install(directory: Path, path: str | None = None) -> None:
    """Write a launcher for each wanted program into `directory` (made if missing); put it first on a container's PATH.

    :param path: the machine's PATH, by which programs in HOST_FIRST are left out (None: the process's own).
    """
    directory.mkdir(parents=True, exist_ok=True)
    for name in images.EXECUTABLES:
        if wanted(name, path):
            launcher = directory / name
            launcher.write_text(script(name), encoding="utf-8")
            launcher.chmod(0o755)


def script(name: str) -> str:
    """A launcher's text. ``-P`` keeps modules that lie in the container's directory out of it."""
    python = shlex.quote(sys.executable)
    return f'#!/bin/sh\nexec {python} -P -m {MODULE} {name} "$@"\n'


def main(argv: list[str]) -> int:
    """``executables NAME ARGUMENTS…``."""
    name = argv[1] if len(argv) > 1 else ""
    if name not in images.EXECUTABLES:
        known = ", ".join(sorted(images.EXECUTABLES))
        print(f"no program {name!r} in the images; there are: {known}", file=sys.stderr)
        return 127
    module, _, attribute = images.EXECUTABLES[name].partition(":")
    program: Program = getattr(importlib.import_module(module), attribute)
    try:
        return program(argv[1:]) or 0
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader (head, grep -q) has seen enough; python would complain when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 141


if __name__ == "__main__":
    sys.exit(main(sys.argv))
