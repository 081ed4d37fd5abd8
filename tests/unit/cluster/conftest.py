from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from meshcourse.cluster import progress
from meshcourse.cluster.cluster import Cluster
from meshcourse.cluster.manifests import Object
from meshcourse.cluster.progress import Progress
from meshcourse.cluster.provider import Capabilities
from tests.unit.cluster import fake_api


@dataclass
class FakeProvider:
    """A provider whose cluster is the fake API."""

    path: Path
    name: str = "fake"
    capabilities: Capabilities = field(default_factory=lambda: Capabilities("fake", False, False))
    command: tuple[str, ...] = ("false",)
    addresses: dict[str, tuple[str, int]] = field(default_factory=dict)

    def start(self, progress: Progress) -> None:
        del progress

    def stop(self, progress: Progress, *, delete: bool = False) -> None:
        del progress, delete

    def running(self) -> bool:
        return True

    def status(self) -> dict[str, Any]:
        return {"running": True}

    def kubeconfig(self) -> Path:
        return self.path

    def consent(self, purpose: str) -> None:
        del purpose

    def istioctl(self) -> list[str]:
        return list(self.command)

    def direct(self, service: Object, port: int) -> tuple[str, int] | None:
        del port
        return self.addresses.get(service["metadata"]["name"])


@pytest.fixture
def api() -> Iterator[fake_api.FakeApi]:
    with fake_api.serve() as server:
        yield server


@pytest.fixture
def cluster(api: fake_api.FakeApi, tmp_path: Path) -> Iterator[Cluster]:
    found = Cluster(FakeProvider(api.kubeconfig(tmp_path)), progress.silent)
    yield found
    found.close()
