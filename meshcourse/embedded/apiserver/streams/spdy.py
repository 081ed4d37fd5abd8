"""SPDY/3.1 framing, the server's side: as much as exec, attach and port-forward of older clients need.

Source: the SPDY protocol draft 3.1 (frame layout, the header dictionary); flow control is not enforced, as in the
implementation that Kubernetes clients use.
"""

from __future__ import annotations

import asyncio
import struct
import zlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

_NAMES: Final = (
    "options head post put delete trace accept accept-charset accept-encoding accept-language accept-ranges age allow "
    "authorization cache-control connection content-base content-encoding content-language content-length "
    "content-location content-md5 content-range content-type date etag expect expires from host if-match "
    "if-modified-since if-none-match if-range if-unmodified-since last-modified location max-forwards pragma "
    "proxy-authenticate proxy-authorization range referer retry-after server te trailer transfer-encoding upgrade "
    "user-agent vary via warning www-authenticate method get status 200_OK version HTTP/1.1 url public set-cookie "
    "keep-alive origin"
)
_REST: Final = (
    "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505203 Non-Authoritative "
    "Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized403 Forbidden404 Not Found500 "
    "Internal Server Error501 Not Implemented503 Service UnavailableJan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec "
    "00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMTchunked,text/html,image/png,image/jpg,image/gif,application/xml,"
    "application/xhtml+xml,text/plain,text/javascript,publicprivatemax-age=gzip,deflate,sdchcharset=utf-8charset="
    "iso-8859-1,utf-,*,enq=0."
)
_SYN_STREAM, _SYN_REPLY, _RST_STREAM, _PING, _GOAWAY, _HEADERS = 1, 2, 3, 6, 7, 8
_FIN: Final = 1
_CONTROL: Final = 0x80000000
_MAX_DATA: Final = 32 * 1024
#: Received bytes that may wait in one stream before the whole session has to wait.
_WINDOW: Final = 4 * 1024 * 1024
_MAX_FRAME: Final = 1 << 20


def dictionary() -> bytes:
    """The dictionary with which header blocks are compressed."""
    words = [word.replace("_", " ").encode() for word in _NAMES.split()]
    return b"".join(struct.pack(">I", len(word)) + word for word in words) + _REST.encode()


class ProtocolError(Exception):
    """The peer does not speak SPDY."""


class Stream:
    """One stream: `headers` in lower case; reads end with b""."""

    def __init__(self, session: Session, number: int, headers: Mapping[str, str]) -> None:
        self.headers = headers
        self._session = session
        self._number = number
        self._waiting: asyncio.Queue[bytes] = asyncio.Queue()
        self._queued = 0
        self._room = asyncio.Event()
        self._room.set()
        self._ended = False
        self._closed = False

    async def read(self) -> bytes:
        """What came next; b"" at the end, again and again."""
        if self._ended and self._waiting.empty():
            return b""
        data = await self._waiting.get()
        self._queued -= len(data)
        if self._queued < _WINDOW:
            self._room.set()
        return data

    async def write(self, data: bytes) -> None:
        for start in range(0, len(data), _MAX_DATA):
            await self._session.send_data(self._number, data[start : start + _MAX_DATA])

    async def close(self) -> None:
        """No more from us; the peer may still write."""
        if not self._closed:
            self._closed = True
            await self._session.send_data(self._number, b"", fin=True)

    async def receive(self, data: bytes) -> None:
        """From the session: data for the reader; waits while the reader is far behind."""
        if self._ended:
            return
        self._queued += len(data)
        self._waiting.put_nowait(data)
        if self._queued >= _WINDOW:
            self._room.clear()
            await self._room.wait()

    def end(self) -> None:
        """From the session: nothing more will come."""
        if not self._ended:
            self._ended = True
            self._waiting.put_nowait(b"")
        self._room.set()


class Session:
    """Frames in by `feed`, frames out by `send`; `on_stream` runs as a task for every stream the peer opens."""

    def __init__(
        self,
        send: Callable[[bytes], Awaitable[None]],
        on_stream: Callable[[Stream], Awaitable[None]],
    ) -> None:
        self._send = send
        self._on_stream = on_stream
        self._buffer = bytearray()
        self._streams: dict[int, Stream] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._inflate = zlib.decompressobj(zdict=dictionary())
        self._deflate = zlib.compressobj(
            9, zlib.DEFLATED, 15, 8, zlib.Z_DEFAULT_STRATEGY, dictionary()
        )
        self._lock = asyncio.Lock()
        #: Set when the peer says that it goes.
        self.leaving = asyncio.Event()

    async def feed(self, data: bytes) -> None:
        """Handle what was received.

        :raises ProtocolError: if it is not SPDY.
        """
        self._buffer += data
        while len(self._buffer) >= 8:
            first, second = struct.unpack_from(">II", self._buffer)
            length, flags = second & 0xFFFFFF, second >> 24
            if length > _MAX_FRAME:
                raise ProtocolError(f"frame of {length} bytes")
            if len(self._buffer) < 8 + length:
                return
            body = bytes(self._buffer[8 : 8 + length])
            del self._buffer[: 8 + length]
            if first & _CONTROL:
                await self._control(first & 0xFFFF, flags, body)
            else:
                await self._data(first, flags, body)

    async def _data(self, number: int, flags: int, body: bytes) -> None:
        stream = self._streams.get(number)
        if stream is None:
            return
        if body:
            await stream.receive(body)
        if flags & _FIN:
            stream.end()

    async def _control(self, kind: int, flags: int, body: bytes) -> None:
        try:
            if kind == _SYN_STREAM:
                await self._open(flags, body)
            elif kind == _RST_STREAM:
                self._reset(struct.unpack_from(">I", body)[0])
            elif kind == _PING:
                await self._frame(_PING, body[:4])
            elif kind == _HEADERS:
                self._headers(body[4:])  # keeps the decompression in step
            elif kind == _GOAWAY:
                self.leaving.set()
        except (struct.error, zlib.error, UnicodeDecodeError) as error:
            raise ProtocolError(str(error)) from error

    async def _open(self, flags: int, body: bytes) -> None:
        number = struct.unpack_from(">I", body)[0] & 0x7FFFFFFF
        stream = Stream(self, number, self._headers(body[10:]))
        self._streams[number] = stream
        if flags & _FIN:
            stream.end()
        async with self._lock:
            block = self._compressed({})
            await self._send(_control_frame(_SYN_REPLY, struct.pack(">I", number) + block))
        task = asyncio.ensure_future(self._on_stream(stream))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _reset(self, number: int) -> None:
        stream = self._streams.pop(number & 0x7FFFFFFF, None)
        if stream is not None:
            stream.end()

    def _headers(self, block: bytes) -> dict[str, str]:
        data = self._inflate.decompress(block)
        count, position = struct.unpack_from(">I", data)[0], 4
        found: dict[str, str] = {}
        for _ in range(count):
            name, position = _string(data, position)
            value, position = _string(data, position)
            found[name.lower()] = value
        return found

    def _compressed(self, headers: Mapping[str, str]) -> bytes:
        block = struct.pack(">I", len(headers))
        for name, value in headers.items():
            for text in (name.encode(), value.encode()):
                block += struct.pack(">I", len(text)) + text
        return self._deflate.compress(block) + self._deflate.flush(zlib.Z_SYNC_FLUSH)

    async def _frame(self, kind: int, body: bytes) -> None:
        async with self._lock:
            await self._send(_control_frame(kind, body))

    async def send_data(self, number: int, data: bytes, *, fin: bool = False) -> None:
        async with self._lock:
            flags = _FIN if fin else 0
            await self._send(struct.pack(">II", number, flags << 24 | len(data)) + data)

    def forget(self, stream: Stream) -> None:
        """Both sides are done with a stream."""
        for number, found in list(self._streams.items()):
            if found is stream:
                del self._streams[number]

    async def close(self) -> None:
        """End every stream and wait for what handles them."""
        for stream in self._streams.values():
            stream.end()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def _control_frame(kind: int, body: bytes) -> bytes:
    return struct.pack(">HHI", 0x8003, kind, len(body)) + body


def _string(data: bytes, position: int) -> tuple[str, int]:
    length = struct.unpack_from(">I", data, position)[0]
    start = position + 4
    return data[start : start + length].decode(), start + length
