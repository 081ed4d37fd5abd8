"""Requests as fast as they go, in a thread of their own, counted by status: a client that costs next to nothing."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Target:
    """Where to connect, and which absolute or relative URL to ask for."""

    host: str
    port: int
    url: str
    authority: str

    @property
    def request(self) -> bytes:
        return f"GET {self.url} HTTP/1.1\r\nHost: {self.authority}\r\n\r\n".encode()


class Load:
    """A context manager: `workers` connections to each target ask until it ends.

    A request that a server cut off, or that was not answered within `patience` seconds, counts as
    ``lost``; a connection that the server closed between two requests does not (RFC 9112, 9.6).
    """

    def __init__(self, targets: Sequence[Target], workers: int = 4, patience: float = 20.0) -> None:
        self.counts: Counter[str] = Counter()
        self._targets = [one for one in targets for _ in range(workers)]
        self._patience = patience
        self._stop = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))

    @property
    def total(self) -> int:
        return self.counts.total()

    def __enter__(self) -> Load:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    async def _run(self) -> None:
        await asyncio.gather(*(self._worker(one) for one in self._targets))

    async def _worker(self, target: Target) -> None:
        while not self._stop.is_set():
            try:
                reader, writer = await asyncio.open_connection(target.host, target.port)
            except OSError:
                self.counts["no connection"] += 1
                await asyncio.sleep(0.01)
                continue
            try:
                while not self._stop.is_set() and await self._ask(target, reader, writer):
                    pass
            finally:
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()

    async def _ask(
        self, target: Target, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        """One request; whether the connection can be used again."""
        if reader.at_eof():
            return False
        try:
            async with asyncio.timeout(self._patience):
                writer.write(target.request)
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                length = int(head.partition(b"content-length: ")[2].split(b"\r")[0])
                await reader.readexactly(length)
        except (OSError, asyncio.IncompleteReadError, TimeoutError, ValueError) as error:
            self.counts[f"lost: {type(error).__name__}"] += 1
            return False
        self.counts[head[9:12].decode()] += 1
        return b"connection: close" not in head
