"""One of fortio's connections: HTTP/1.1 by hand, to count sockets and bytes as fortio does."""

from __future__ import annotations

import asyncio
import base64
from collections import Counter
from dataclasses import dataclass
from urllib.parse import urlsplit

from meshcourse.embedded.images import outbound
from meshcourse.embedded.images.tools.fortio.options import Options

#: What fortio counts a call without any answer as.
SOCKET_ERROR = -1


@dataclass(frozen=True, slots=True)
class Reply:
    """A call's outcome: status (or SOCKET_ERROR), bytes of the head, bytes of everything, the bytes themselves."""

    code: int
    head_size: int = 0
    size: int = 0
    data: bytes = b""


def ok(code: int) -> bool:
    """Whether fortio keeps the connection after such an answer and does not count an error."""
    return 200 <= code < 300 or code == 418


def request_bytes(options: Options, absolute: bool) -> bytes:
    """The request, the same for every call; `absolute` for a plain HTTP proxy."""
    parts = urlsplit(options.url)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    body = options.payload.encode()
    names = {header.partition(":")[0].strip().lower() for header in options.headers}
    lines = [
        f"{'POST' if body else 'GET'} {parts.scheme + '://' + parts.netloc + path if absolute else path} HTTP/1.1"
    ]
    lines += [] if "host" in names else [f"Host: {parts.netloc}"]
    lines += [] if "user-agent" in names else ["User-Agent: fortio.org/fortio-meshcourse"]
    lines += options.headers
    if options.user:
        lines.append("Authorization: Basic " + base64.b64encode(options.user.encode()).decode())
    if body:
        lines += [f"Content-Length: {len(body)}", "Content-Type: application/octet-stream"]
    if not options.keep_alive:
        lines.append("Connection: close")
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


class Connection:
    """A connection that is opened when needed, kept while answers are good, and counted."""

    def __init__(self, options: Options) -> None:
        parts = urlsplit(options.url)
        self._host, self._port = parts.hostname or "", parts.port or 80
        proxy = outbound.Proxies.from_environment().of("http", self._host)
        if proxy:
            place = urlsplit(proxy)
            self._host, self._port = place.hostname or "", place.port or 80
        self._options = options
        self._request = request_bytes(options, bool(proxy))
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self.sockets = 0
        self.peers: Counter[str] = Counter()

    async def call(self) -> Reply:
        """One call; never raises for what the network does."""
        try:
            async with asyncio.timeout(self._options.timeout):
                reader, writer = await self._open()
                writer.write(self._request)
                await writer.drain()
                reply, reusable = await read_reply(reader)
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError):
            self.close()
            return Reply(SOCKET_ERROR)
        if not (ok(reply.code) and reusable and self._options.keep_alive):
            self.close()
        return reply

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._streams is None:
            self._streams = await asyncio.open_connection(self._host, self._port)
            self.sockets += 1
            peer = self._streams[1].get_extra_info("peername")
            self.peers[f"{peer[0]}:{peer[1]}"] += 1
        return self._streams

    def close(self) -> None:
        """Close the socket, if there is one."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


async def read_reply(reader: asyncio.StreamReader) -> tuple[Reply, bool]:
    """Read one answer; also whether the connection can carry another.

    :raises ValueError: if it is not HTTP.
    :raises asyncio.IncompleteReadError: if it ends early.
    """
    head = await reader.readuntil(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {
        name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)
    }
    code = int(first.split(" ", 2)[1])
    reusable = headers.get("connection", "").lower() != "close"
    if "chunked" in headers.get("transfer-encoding", "").lower():
        body = await _chunked(reader)
    elif "content-length" in headers:
        body = await reader.readexactly(int(headers["content-length"]))
    elif code in (204, 304):
        body = b""
    else:
        body, reusable = await reader.read(), False
    data = head + body
    return Reply(code, len(head), len(data), data), reusable


async def _chunked(reader: asyncio.StreamReader) -> bytes:
    """The body with its framing, which fortio counts too."""
    pieces = []
    while True:
        line = await reader.readline()
        size = int(line.split(b";")[0], 16)
        chunk = await reader.readexactly(size + 2)
        pieces += [line, chunk]
        if size == 0:
            return b"".join(pieces)
