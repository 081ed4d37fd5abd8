"""An embedded cluster as somebody else's: reached through nothing but its kubeconfig, by the context provider."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from meshcourse.cluster import providers
from meshcourse.cluster.context import consent
from meshcourse.cluster.release import istioctl
from meshcourse.embedded.daemon import launcher


@contextmanager
def cluster(name: str, folder: Path) -> Iterator[None]:
    """As long as this lasts, `providers.choose()` and every notebook mean a context, and install with consent.

    :param folder: for the stand-in of istioctl, which is a program like any other to the provider.
    """
    launcher.up(name)
    program = folder / "istioctl"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m meshcourse.embedded.istioctl "$@"\n')
    program.chmod(0o755)
    patch = pytest.MonkeyPatch()
    patch.setenv("KUBECONFIG", str(launcher.kubeconfig_path(name)))
    patch.setenv(providers.KIND_VARIABLE, "context")
    patch.setenv(consent.VARIABLE, "yes")
    patch.setenv(istioctl.PROGRAM_VARIABLE, str(program))
    patch.delenv(providers.NAME_VARIABLE, raising=False)
    try:
        yield
    finally:
        patch.undo()
        launcher.down(name, delete=True)
