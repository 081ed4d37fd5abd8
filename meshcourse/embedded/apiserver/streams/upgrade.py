"""Leaving HTTP: a connection that speaks SPDY from now on.

aiohttp knows WebSocket upgrades only; for others it lets a handler take the connection's bytes (`set_parser`, the hook
that its own WebSocket support uses).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter

from meshcourse.embedded.kube.status import ApiError

#: Received bytes that may wait before the socket is not read any more.
_HIGH_WATER = 1 << 20
_PROTOCOL_HEADER = "X-Stream-Protocol-Version"


class Taken(web.StreamResponse):
    """Stands for the response that has already gone out by hand."""

    def __init__(self) -> None:
        super().__init__(status=101)
        self.force_close()

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        return None

    async def write_eof(self, data: Any = b"") -> None:
        return None


class Connection:
    """The raw bytes of an upgraded connection. `receive` ends with b""."""

    def __init__(self, request: web.Request) -> None:
        transport = request.transport
        if transport is None:
            raise ConnectionResetError("the client has gone")
        self._transport: Any = transport
        self._writer = request.writer
        self._waiting: asyncio.Queue[bytes] = asyncio.Queue()
        self._queued = 0

    async def receive(self) -> bytes:
        data = await self._waiting.get()
        before, self._queued = self._queued, self._queued - len(data)
        if before >= _HIGH_WATER > self._queued and not self._transport.is_closing():
            self._transport.resume_reading()
        return data

    async def send(self, data: bytes) -> None:
        """:raises ConnectionError: if the client has gone."""
        if self._transport.is_closing():
            raise ConnectionResetError("the client has gone")
        self._transport.write(data)
        await self._writer.drain()

    def close(self) -> None:
        self._transport.close()

    # What aiohttp calls.

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        before, self._queued = self._queued, self._queued + len(data)
        self._waiting.put_nowait(bytes(data))
        if before < _HIGH_WATER <= self._queued:
            self._transport.pause_reading()
        return False, b""

    def feed_eof(self) -> None:
        self._waiting.put_nowait(b"")

    def set_exception(self, *_: Any) -> None:
        self._waiting.put_nowait(b"")


def negotiate(request: web.Request, supported: Sequence[str]) -> str:
    """The first protocol that the client offers and we know.

    :raises ApiError: 403 if there is none.
    """
    offered = [
        each.strip()
        for header in request.headers.getall(_PROTOCOL_HEADER, [])
        for each in header.split(",")
    ]
    for protocol in offered:
        if protocol in supported:
            return protocol
    if not offered and "" in supported:
        return ""
    text = f"unable to upgrade: unable to negotiate protocol: client supports {offered}, server accepts {supported}"
    raise ApiError(403, "Forbidden", text)


def take(request: web.Request, protocol: str) -> Connection:
    """Answer 101 and take the connection."""
    connection = Connection(request)
    head = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n"
    if protocol:
        head += f"{_PROTOCOL_HEADER}: {protocol}\r\n"
    request.protocol.set_parser(connection)  # type: ignore[arg-type]
    connection._transport.write(f"{head}\r\n".encode())
    return connection
