"""A small SPDY client, to talk to the server's side as an old kubectl does."""

from __future__ import annotations

import asyncio
import struct
import zlib
from collections.abc import Awaitable, Callable

from meshcourse.embedded.apiserver.streams import spdy

#: Sends bytes; receives the next bytes (b"" at the end).
Send = Callable[[bytes], Awaitable[None]]
Receive = Callable[[], Awaitable[bytes]]


class Client:
    """Opens streams, collects what comes back on each: `data` by stream, `ended` streams."""

    def __init__(self, send: Send, receive: Receive) -> None:
        self._send = send
        self._receive = receive
        self._deflate = zlib.compressobj(
            9, zlib.DEFLATED, 15, 8, zlib.Z_DEFAULT_STRATEGY, spdy.dictionary()
        )
        self._inflate = zlib.decompressobj(zdict=spdy.dictionary())
        self._next = 1
        self._buffer = b""
        self.data: dict[int, bytes] = {}
        self.ended: set[int] = set()
        self.replies: set[int] = set()
        self.pings: list[bytes] = []

    async def open(self, **headers: str) -> int:
        number, self._next = self._next, self._next + 2
        block = struct.pack(">I", len(headers))
        for name, value in headers.items():
            for text in (name, value):
                block += struct.pack(">I", len(text)) + text.encode()
        packed = self._deflate.compress(block) + self._deflate.flush(zlib.Z_SYNC_FLUSH)
        body = struct.pack(">IIBB", number, 0, 0, 0) + packed
        await self.control(1, body)
        self.data[number] = b""
        return number

    async def control(self, kind: int, body: bytes) -> None:
        await self._send(struct.pack(">HHI", 0x8003, kind, len(body)) + body)

    async def write(self, number: int, data: bytes, *, fin: bool = False) -> None:
        await self._send(struct.pack(">II", number, (1 if fin else 0) << 24 | len(data)) + data)

    async def until(self, *streams: int) -> None:
        """Read until these streams have ended."""
        while not set(streams) <= self.ended:
            await self.read()

    async def read(self) -> None:
        data = await asyncio.wait_for(self._receive(), 10)
        if not data:
            raise EOFError
        self._buffer += data
        while len(self._buffer) >= 8:
            first, second = struct.unpack_from(">II", self._buffer)
            length = second & 0xFFFFFF
            if len(self._buffer) < 8 + length:
                return
            body, self._buffer = self._buffer[8 : 8 + length], self._buffer[8 + length :]
            self._frame(first, second >> 24, body)

    def _frame(self, first: int, flags: int, body: bytes) -> None:
        if first & 0x80000000:
            kind = first & 0xFFFF
            if kind == 2:
                self.replies.add(struct.unpack_from(">I", body)[0])
                self._inflate.decompress(body[4:])
            elif kind == 6:
                self.pings.append(body)
            return
        self.data[first] += body
        if flags & 1:
            self.ended.add(first)
