"""exec and attach over a SPDY upgrade, for kubectl before 1.30 and clients that fall back to it.

The client opens a stream for each of error, stdin, stdout, stderr and resize and names it in ``streamtype``.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final

from aiohttp import web

from meshcourse.embedded.apiserver.streams import remote, spdy, upgrade
from meshcourse.embedded.apiserver.streams.backend import NodeBackend
from meshcourse.embedded.apiserver.streams.options import RemoteOptions
from meshcourse.embedded.kube.objects import Object
from meshcourse.embedded.kube.status import ApiError

PROTOCOLS: Final = (
    "v4.channel.k8s.io",
    "v3.channel.k8s.io",
    "v2.channel.k8s.io",
    "channel.k8s.io",
    "",
)
#: How long a client may take to open its streams.
_STREAMS_SECONDS = 30.0
#: How long a client may take to hang up after the end.
_LINGER_SECONDS = 2.0


class SpdyChannels:
    """`remote.Channels` over the streams of one session."""

    def __init__(self, wanted: RemoteOptions, protocol: str) -> None:
        self._protocol = protocol
        self._streams: dict[str, spdy.Stream] = {}
        self._expected = _expected(wanted, protocol)
        self.complete = asyncio.Event()
        self.gone = asyncio.Event()

    async def on_stream(self, stream: spdy.Stream) -> None:
        self._streams[stream.headers.get("streamtype", "")] = stream
        if self._expected <= self._streams.keys():
            self.complete.set()

    async def read_stdin(self) -> bytes:
        return await self._streams["stdin"].read()

    async def read_size(self) -> tuple[int, int] | None:
        stream = self._streams.get("resize")
        if stream is None:
            return None
        while data := await stream.read():
            size = remote.parse_size(data)
            if size is not None:
                return size
        return None

    async def write_stdout(self, data: bytes) -> None:
        await self._streams["stdout"].write(data)

    async def write_stderr(self, data: bytes) -> None:
        await self._streams["stderr"].write(data)

    async def finish(self, status: Object) -> None:
        error = self._streams["error"]
        await error.write(remote.encode(status, as_json=self._protocol.startswith("v4.")))
        for stream in self._streams.values():
            await stream.close()

    async def closed(self) -> None:
        await self.gone.wait()


def _expected(wanted: RemoteOptions, protocol: str) -> set[str]:
    found = {"error"}
    found |= {name for name in ("stdin", "stdout", "stderr") if getattr(wanted, name)}
    if wanted.tty and protocol.startswith(("v3.", "v4.")):
        found.add("resize")
    return found


async def serve(
    request: web.Request,
    backend: NodeBackend,
    namespace: str,
    pod: Object,
    wanted: RemoteOptions,
    *,
    attach: bool,
) -> web.StreamResponse:
    """exec or attach; what cannot be started is said on the error stream, as kubelets do."""
    protocol = upgrade.negotiate(request, PROTOCOLS)
    connection = upgrade.take(request, protocol)
    channels = SpdyChannels(wanted, protocol)
    session = spdy.Session(connection.send, channels.on_stream)
    reader = asyncio.create_task(_read(connection, session, channels))
    try:
        await asyncio.wait_for(channels.complete.wait(), _STREAMS_SECONDS)
        await _run(backend, namespace, pod, wanted, channels, attach=attach)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(channels.gone.wait(), _LINGER_SECONDS)
    except (ConnectionError, TimeoutError):
        pass  # the client has gone, or never opened its streams
    finally:
        reader.cancel()
        await asyncio.gather(reader, return_exceptions=True)
        await session.close()
        connection.close()
    return upgrade.Taken()


async def _run(
    backend: NodeBackend,
    namespace: str,
    pod: Object,
    wanted: RemoteOptions,
    channels: SpdyChannels,
    *,
    attach: bool,
) -> None:
    try:
        session = await remote.start(backend, namespace, pod, wanted, attach=attach)
    except ApiError as error:
        await channels.finish(remote.failure(error))
        return
    await remote.run(session, channels, wanted)


async def _read(
    connection: upgrade.Connection, session: spdy.Session, channels: SpdyChannels
) -> None:
    try:
        while not session.leaving.is_set() and (data := await connection.receive()):
            await session.feed(data)
    except (spdy.ProtocolError, ConnectionError):
        pass  # treated as if the client had gone
    finally:
        channels.gone.set()
