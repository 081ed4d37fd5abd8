"""Programs that our images have in them, by name. The daemon puts them onto each container's PATH."""

from __future__ import annotations

import importlib
import shutil
from collections.abc import Callable

from meshcourse.embedded import images

Program = Callable[[list[str]], int | None]


def wanted(name: str, path: str | None = None) -> bool:
    """Whether our own program of that name is to be used, given a PATH (None: the process's)."""
    if name not in images.EXECUTABLES:
        return False
    return name not in images.HOST_FIRST or shutil.which(name, path=path) is None


def function(name: str, path: str | None = None) -> Program | None:
    """Our program of that name, loaded; None if the machine's is to be used, or there is none."""
    if not wanted(name, path):
        return None
    module, _, attribute = images.EXECUTABLES[name].partition(":")
    program: Program = getattr(importlib.import_module(module), attribute)
    return program
