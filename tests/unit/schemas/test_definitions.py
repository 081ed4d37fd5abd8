"""Where the definitions come from: the package once, then a compact copy."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from meshcourse.embedded.apiserver.schemas import definitions


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty cache directory, and nothing remembered from other tests."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    definitions.compact.cache_clear()
    yield tmp_path / "meshcourse"
    definitions.compact.cache_clear()


def _seconds() -> float:
    definitions.compact.cache_clear()
    start = time.process_time()
    assert len(definitions.compact()) > 500
    return time.process_time() - start


def test_the_copy_is_made_once_and_is_private(cache: Path) -> None:
    assert _seconds() < 0.4
    (made,) = cache.iterdir()
    assert stat.S_IMODE(made.stat().st_mode) == 0o600
    stamp = made.stat().st_mtime_ns
    assert _seconds() < 0.1
    assert made.stat().st_mtime_ns == stamp
    assert made.stat().st_size < 400_000


def test_a_damaged_copy_is_made_anew(cache: Path) -> None:
    expected = definitions.compact()
    (made,) = cache.iterdir()
    made.write_bytes(b'{"half')
    definitions.compact.cache_clear()
    assert definitions.compact() == expected
    definitions.compact.cache_clear()
    assert made.stat().st_size > 100_000


def test_without_a_place_for_the_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    occupied = tmp_path / "file"
    occupied.write_text("not a directory")
    monkeypatch.setenv("XDG_CACHE_HOME", str(occupied))
    assert "io.k8s.api.core.v1.Pod" in definitions.compact()
    assert os.listdir(tmp_path) == ["file"]


def test_only_the_full_form_has_prose() -> None:
    name = "io.k8s.api.core.v1.ServicePort"
    assert "description" not in definitions.compact()[name]["properties"]["port"]
    assert "port" in definitions.full()[name]["properties"]["port"]["description"]
    assert definitions.compact()[name]["properties"]["name"]["type"] == "string"


def test_a_property_called_description_survives() -> None:
    schema = definitions.compact()["io.k8s.api.scheduling.v1.PriorityClass"]
    assert schema["properties"]["description"]["type"] == "string"
