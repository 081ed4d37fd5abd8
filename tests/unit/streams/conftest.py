"""A server with a node behind it, for every test of streams."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp.test_utils import TestServer

from tests.unit.streams.node import Node, application, echo


@pytest.fixture
async def node() -> AsyncIterator[Node]:
    """A node with an echo server behind its ports."""
    found = Node()
    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    found.port = server.sockets[0].getsockname()[1]
    yield found
    server.close()
    await server.wait_closed()


@pytest.fixture
async def server(node: Node) -> AsyncIterator[TestServer]:
    async with TestServer(application(node), host="127.0.0.1", handler_cancellation=True) as found:
        yield found


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as found:
        yield found
