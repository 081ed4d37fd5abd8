"""The catalogue of one cluster: what the rooms with workloads export, and the learner's own images.

A room exports ``IMAGES`` (image path suffix → ``module:function``) and may export ``EXECUTABLES`` (programs in
every container, name → ``module:function``) with ``HOST_FIRST`` (those of which the machine's own is preferred)
and ``PRELOAD`` (modules worth importing in the fork server). Only the rooms' light ``__init__`` is imported
here.
"""

from __future__ import annotations

import importlib
import os
import shlex
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from meshcourse.embedded.kubelet import catalogue as catalogues
from meshcourse.embedded.kubelet.layout import Layout

_ROOMS = ("istiod", "images", "addons")
_RUN = "meshcourse.embedded.daemon.program"


def catalogue(state_dir: Path) -> catalogues.Catalogue:
    """The catalogue of the cluster whose state is in `state_dir`."""
    images: dict[str, str] = {}
    for room in _rooms():
        images |= getattr(room, "IMAGES", {})
    return catalogues.Catalogue(images, Layout(state_dir).images, dict(_programs()))


def preload() -> list[str]:
    """Modules for the fork server to import, in order; those of istiod first, it is what everybody waits for."""
    names = [name for room in _rooms() for name in getattr(room, "PRELOAD", ())]
    return list(dict.fromkeys(names))


def install_programs(state_dir: Path) -> None:
    """Write a launcher for each program into the directory that comes first on every container's PATH.

    Exec forks such a program; the launchers are for shells and scripts, which start what they find.
    """
    directory = Layout(state_dir).programs
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(mode=0o700, parents=True)
    python = shlex.quote(sys.executable)
    for name, entry in _programs():
        launcher = directory / name
        # -P keeps modules that lie in the container's directory out of it.
        launcher.write_text(f'#!/bin/sh\nexec {python} -P -m {_RUN} {entry} {name} "$@"\n')
        launcher.chmod(0o700)


def _programs() -> Iterator[tuple[str, str]]:
    for room in _rooms():
        host_first: frozenset[str] = getattr(room, "HOST_FIRST", frozenset())
        for name, entry in getattr(room, "EXECUTABLES", {}).items():
            if name not in host_first or shutil.which(name, path=os.environ.get("PATH")) is None:
                yield name, entry


def _rooms() -> Iterator[ModuleType]:
    for room in _ROOMS:
        yield importlib.import_module(f"meshcourse.embedded.{room}")
