"""The TCP side of the forward protocol: reads, stores, acknowledges, prints."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Final

from meshcourse.embedded.addons.fluentbit import forward
from meshcourse.embedded.addons.fluentbit.forward import Event
from meshcourse.embedded.addons.fluentbit.store import Store

_CHUNK: Final = 64 << 10


class Receiver:
    """Accepts connections of log senders.

    :param show: called with the events of each message, after they were stored.
    """

    def __init__(self, store: Store, show: Callable[[list[Event]], None]) -> None:
        self._store = store
        self._show = show
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self.errors = 0

    async def start(self, host: str, port: int) -> int:
        """Listen; returns the real port."""
        self._server = await asyncio.start_server(self._serve, host, port)
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Close the listener and all connections."""
        if self._server is not None:
            self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        try:
            await self._read(reader, writer)
        except forward.ProtocolError:
            self.errors += 1  # as Fluent Bit: whoever does not speak the protocol is cut off
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError, asyncio.CancelledError):
                await writer.wait_closed()

    async def _read(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        decoder = forward.Decoder()
        while data := await reader.read(_CHUNK):
            for batch in decoder.feed(data):
                self._store.add(batch.events)
                self._show(batch.events)
                if batch.ack:
                    writer.write(batch.ack)
            await writer.drain()
