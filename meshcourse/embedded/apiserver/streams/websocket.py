"""exec and attach over WebSocket: the channel protocol.

The first byte of every message names the channel: 0 stdin, 1 stdout, 2 stderr, 3 error, 4 resize; in v5 the message
255 followed by a channel closes that channel. Source: client-go's and the API server's websocket remote command.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
from typing import Final

from aiohttp import WSMsgType, web

from meshcourse.embedded.apiserver.streams import remote
from meshcourse.embedded.apiserver.streams.backend import ExecSession, NodeBackend
from meshcourse.embedded.apiserver.streams.options import RemoteOptions
from meshcourse.embedded.apiserver.streams.remote import CHUNK
from meshcourse.embedded.kube.objects import Object
from meshcourse.embedded.kube.status import ApiError

_STDIN, _STDOUT, _STDERR, _ERROR, _RESIZE, _CLOSE = 0, 1, 2, 3, 4, 255
PROTOCOLS: Final = (
    "v5.channel.k8s.io",
    "v4.channel.k8s.io",
    "channel.k8s.io",
    "base64.channel.k8s.io",
    "v4.base64.channel.k8s.io",
)
#: Messages of input that wait for a command that does not read; then the client has to wait.
_WAITING = 64


class WebSocketChannels:
    """`remote.Channels` over one WebSocket. `pump` must run beside it."""

    def __init__(self, socket: web.WebSocketResponse) -> None:
        self._socket = socket
        protocol = socket.ws_protocol or ""
        self._json_status = protocol.startswith(("v4.", "v5."))
        self._base64 = "base64" in protocol
        self._stdin: asyncio.Queue[bytes] = asyncio.Queue(_WAITING)
        self._sizes: asyncio.Queue[tuple[int, int] | None] = asyncio.Queue(_WAITING)
        self._closed = asyncio.Event()

    async def pump(self) -> None:
        """Sort incoming messages until the client goes."""
        try:
            async for message in self._socket:
                if message.type in (WSMsgType.BINARY, WSMsgType.TEXT):
                    data = message.data
                    await self._take(data if isinstance(data, bytes) else data.encode())
        finally:
            self._closed.set()

    async def _take(self, message: bytes) -> None:
        if self._base64:
            message = _from_base64(message)
        if not message:
            return
        channel, data = message[0], message[1:]
        if channel == _STDIN and data:
            await self._stdin.put(data)
        elif channel == _CLOSE and data[:1] == bytes([_STDIN]):
            await self._stdin.put(b"")
        elif channel == _RESIZE and (size := remote.parse_size(data)) is not None:
            await self._sizes.put(size)

    async def read_stdin(self) -> bytes:
        return await self._stdin.get()

    async def read_size(self) -> tuple[int, int] | None:
        return await self._sizes.get()

    async def write_stdout(self, data: bytes) -> None:
        await self._send(_STDOUT, data)

    async def write_stderr(self, data: bytes) -> None:
        await self._send(_STDERR, data)

    async def finish(self, status: Object) -> None:
        await self._send(_ERROR, remote.encode(status, as_json=self._json_status))

    async def closed(self) -> None:
        await self._closed.wait()

    async def greet(self, wanted: RemoteOptions) -> None:
        """An empty message tells clients that the streams are connected."""
        channel = _STDOUT if wanted.stdout else _STDERR if wanted.stderr else _ERROR
        await self._message(bytes([channel]))

    async def _send(self, channel: int, data: bytes) -> None:
        for start in range(0, len(data), CHUNK):
            await self._message(bytes([channel]) + data[start : start + CHUNK])

    async def _message(self, message: bytes) -> None:
        if self._base64:
            encoded = base64.b64encode(message[1:]).decode()
            await self._socket.send_str(f"{message[0]}{encoded}")
        else:
            await self._socket.send_bytes(message)


def _from_base64(message: bytes) -> bytes:
    """The base64 protocols name the channel by a digit."""
    try:
        return bytes([int(message[:1])]) + base64.b64decode(message[1:])
    except (ValueError, binascii.Error):
        return b""


async def serve(
    request: web.Request,
    backend: NodeBackend,
    namespace: str,
    pod: Object,
    wanted: RemoteOptions,
    *,
    attach: bool,
) -> web.StreamResponse:
    """exec or attach; what cannot be started is said on the error channel, as kubelets do."""
    socket = web.WebSocketResponse(protocols=PROTOCOLS, max_msg_size=0)
    await socket.prepare(request)
    channels = WebSocketChannels(socket)
    try:
        session: ExecSession = await remote.start(backend, namespace, pod, wanted, attach=attach)
    except ApiError as error:
        await channels.finish(remote.failure(error))
        await socket.close()
        return socket
    pump = asyncio.create_task(channels.pump())
    try:
        await channels.greet(wanted)
        await remote.run(session, channels, wanted)
    except ConnectionError:
        await session.kill()
    finally:
        pump.cancel()
        await asyncio.gather(pump, return_exceptions=True)
        await socket.close()
    return socket
