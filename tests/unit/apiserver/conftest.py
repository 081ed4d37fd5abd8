"""A running API server for each test; starting one takes some 30 ms."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from meshcourse.embedded.apiserver.local import LocalClient
from meshcourse.embedded.apiserver.server import Server
from meshcourse.embedded.client.http import HttpClient


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    server = Server(tmp_path / "state", "test", cluster_number=99)
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
def client(server: Server) -> LocalClient:
    """An administrator in the server's own process."""
    return server.local("tester")


@pytest.fixture
async def http(server: Server) -> AsyncIterator[HttpClient]:
    """The administrator over HTTPS."""
    async with HttpClient.from_kubeconfig(server.kubeconfig_path, agent="tester") as client:
        yield client
