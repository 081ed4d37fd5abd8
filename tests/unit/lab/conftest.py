from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.cluster.conftest import api, cluster

__all__ = ["api", "cluster"]

COURSE = """
title = "A small course"
[[notebook]]
slug = "00-start"
title = "Start"
minutes = 5
[[lab]]
slug = "00-hello"
title = "Hello"
minutes = 5
notebook = "00-start"
"""
CHECKS = """
from meshcourse.lab import Finding, check

@check("Look for the object")
def there(cluster):
    found = cluster.exists("configmap", "hello")
    return Finding(found, "there" if found else "absent", "there", "`%kubectl get cm`")

@check("Read its data", converges=1)
def read(cluster):
    value = (cluster.get("configmap", "hello").get("data") or {}).get("count", "")
    return Finding(value == "7", f"count {value!r}", "count '7'")
"""
HINTS = "# Hints\n\n## One\nfirst hint\n\n## Two\nsecond hint\n"
HELLO = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: hello}\ndata: {count: '7'}\n"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The folder of a course with one notebook and one lab."""
    lab = tmp_path / "labs" / "00-hello"
    for folder in (lab / "start", lab / "solution", tmp_path / "notebooks"):
        folder.mkdir(parents=True)
    (tmp_path / "labs" / "course.toml").write_text(COURSE)
    (tmp_path / "notebooks" / "00-start.ipynb").write_text("{}")
    (lab / "README.md").write_text("# Hello\n\nMake it.\n")
    (lab / "hints.md").write_text(HINTS)
    (lab / "checks.py").write_text(CHECKS)
    (lab / "start" / "hello.yaml").write_text(HELLO.replace("'7'", "''"))
    (lab / "solution" / "hello.yaml").write_text(HELLO)
    return tmp_path


@pytest.fixture
def edit(home: Path) -> Callable[[str, str], None]:
    """Write a file of the lab anew."""

    def write(name: str, text: str) -> None:
        (home / "labs" / "00-hello" / name).write_text(text)

    return write
