"""Which program ``kubectl exec`` starts: our own by name, also by a path that only the real image has."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from meshcourse.embedded.kubelet.pods import launch
from meshcourse.embedded.kubelet.processes.client import Spec


@pytest.mark.parametrize(
    ("program", "entry"),
    [
        ("fortio", "m:fortio"),
        ("/no/such/bin/fortio", "m:fortio"),
        ("/bin/sh", ""),
        ("./fortio", ""),
        ("vim", ""),
    ],
)
def test_programs(program: str, entry: str) -> None:
    catalogue = SimpleNamespace(programs={"fortio": "m:fortio", "sh": "m:sh"})
    node = SimpleNamespace(cluster="c", puller=SimpleNamespace(catalogue=catalogue))
    view = cast(Any, SimpleNamespace(node=node, namespace="default", name="pod"))
    running = Spec(argv=("image",), env={}, cwd=Path("/"), title="t", entry="m:image")
    spec = launch.exec_spec(view, running, "main", [program, "x"], tty=False)
    assert (spec.entry, list(spec.argv)) == (entry, [program, "x"])
