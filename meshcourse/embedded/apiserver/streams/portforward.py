"""Port-forward: connections to a pod's ports through the API server.

Three wire forms: SPDY frames inside WebSocket messages (kubectl 1.31+), SPDY after a raw upgrade (older kubectl),
and a plain WebSocket with two channels per port (the Python client). Source: client-go's port forwarding.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from aiohttp import WSMsgType, web

from meshcourse.embedded.apiserver.streams import spdy, upgrade
from meshcourse.embedded.apiserver.streams.backend import NodeBackend
from meshcourse.embedded.kube import objects, status
from meshcourse.embedded.kube.objects import Object
from meshcourse.embedded.kube.status import ApiError

TUNNEL: Final = "SPDY/3.1+portforward.k8s.io"
_SPDY: Final = "portforward.k8s.io"
_CHANNELS: Final = ("v4.channel.k8s.io", "portforward.k8s.io")
_CHUNK: Final = 32 * 1024

#: Opens a connection to one of the pod's ports.
Dial = Callable[[int], Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]


async def serve(
    request: web.Request, backend: NodeBackend, namespace: str, pod: Object
) -> web.StreamResponse:
    """:raises ApiError: 400 without an upgrade, or without ports where the URL has to name them."""

    async def dial(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await backend.dial(namespace, objects.name(pod), port)

    upgraded = request.headers.get("Upgrade", "").lower()
    if upgraded.startswith("spdy/"):
        return await _raw(request, dial)
    if upgraded != "websocket":
        raise status.bad_request("Upgrade request required")
    if TUNNEL in request.headers.get("Sec-WebSocket-Protocol", ""):
        return await _tunnel(request, dial)
    return await _channels(request, dial)


async def _tunnel(request: web.Request, dial: Dial) -> web.StreamResponse:
    socket = web.WebSocketResponse(protocols=(TUNNEL,), max_msg_size=0)
    await socket.prepare(request)
    session = _session(socket.send_bytes, dial)
    try:
        async for message in socket:
            if message.type is WSMsgType.BINARY:
                await session.feed(message.data)
            if session.leaving.is_set():
                break
    except (spdy.ProtocolError, ConnectionError):
        pass  # as if the client had gone
    finally:
        await session.close()
        await socket.close()
    return socket


async def _raw(request: web.Request, dial: Dial) -> web.StreamResponse:
    connection = upgrade.take(request, upgrade.negotiate(request, (_SPDY,)))
    session = _session(connection.send, dial)
    try:
        while not session.leaving.is_set() and (data := await connection.receive()):
            await session.feed(data)
    except (spdy.ProtocolError, ConnectionError):
        pass  # as if the client had gone
    finally:
        await session.close()
        connection.close()
    return upgrade.Taken()


def _session(send: Callable[[bytes], Awaitable[None]], dial: Dial) -> spdy.Session:
    """A session whose streams come in pairs: data and error of one forwarded connection."""
    waiting: dict[str, dict[str, spdy.Stream]] = {}

    async def on_stream(stream: spdy.Stream) -> None:
        request = stream.headers.get("requestid", "")
        pair = waiting.setdefault(request, {})
        pair[stream.headers.get("streamtype", "")] = stream
        if pair.keys() >= {"data", "error"}:
            del waiting[request]
            await _forward_pair(session, pair["data"], pair["error"], dial)

    session = spdy.Session(send, on_stream)
    return session


async def _forward_pair(
    session: spdy.Session, data: spdy.Stream, error: spdy.Stream, dial: Dial
) -> None:
    with contextlib.suppress(ConnectionError):
        try:
            port = int(data.headers.get("port", ""))
            await _forward(dial, port, data.read, data.write, data.close)
        except ValueError:
            await error.write(
                f'unable to parse "{data.headers.get("port", "")}" as a port'.encode()
            )
        except ApiError as refused:
            await error.write(_reason(refused))
        await data.close()
        await error.close()
    session.forget(data)
    session.forget(error)


async def _forward(
    dial: Dial,
    port: int,
    read: Callable[[], Awaitable[bytes]],
    write: Callable[[bytes], Awaitable[None]],
    close: Callable[[], Awaitable[None]],
) -> None:
    """Copy both ways; an end in one direction is passed on while the other goes on.

    :raises ApiError: if the port cannot be reached.
    """
    reader, writer = await dial(port)
    upward = asyncio.create_task(_upward(read, writer))
    try:
        with contextlib.suppress(ConnectionError):
            while chunk := await reader.read(_CHUNK):
                await write(chunk)
        await close()
    finally:
        upward.cancel()
        await asyncio.gather(upward, return_exceptions=True)
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def _upward(read: Callable[[], Awaitable[bytes]], writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while chunk := await read():
            writer.write(chunk)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()


def _reason(refused: ApiError) -> bytes:
    """A node's own words, without what an API server puts before them."""
    return refused.message.removeprefix("Internal error occurred: ").encode()


@dataclass(slots=True)
class _Port:
    """One forwarded port of the channel form: channel 2i carries data, 2i+1 errors."""

    number: int
    waiting: asyncio.Queue[bytes] = field(default_factory=lambda: asyncio.Queue(64))


async def _channels(request: web.Request, dial: Dial) -> web.StreamResponse:
    ports = [_Port(number) for number in _ports(request)]
    socket = web.WebSocketResponse(protocols=_CHANNELS, max_msg_size=0)
    await socket.prepare(request)
    tasks = [
        asyncio.create_task(_channel(socket, index, port, dial)) for index, port in enumerate(ports)
    ]
    reader = asyncio.create_task(_sort(socket, ports))
    all_done = asyncio.create_task(_finished(list(tasks)))
    tasks.append(all_done)
    try:
        await asyncio.wait({all_done, reader}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (*tasks, reader):
            task.cancel()
        await asyncio.gather(*tasks, reader, return_exceptions=True)
        await socket.close()
    return socket


async def _finished(tasks: Sequence[asyncio.Task[None]]) -> None:
    await asyncio.wait(tasks)


def _ports(request: web.Request) -> list[int]:
    texts = [text for value in request.query.getall("ports", []) for text in value.split(",")]
    try:
        found = [int(text) for text in texts]
    except ValueError:
        raise status.bad_request(f"unable to parse {texts} as ports") from None
    if not found:
        raise status.bad_request('query parameter "ports" is required')
    return found


async def _sort(socket: web.WebSocketResponse, ports: list[_Port]) -> None:
    async for message in socket:
        if message.type is WSMsgType.BINARY and len(message.data) > 1:
            index, is_error = divmod(message.data[0], 2)
            if not is_error and index < len(ports):
                await ports[index].waiting.put(message.data[1:])


async def _channel(socket: web.WebSocketResponse, index: int, port: _Port, dial: Dial) -> None:
    """Each channel starts with the port number, little-endian."""
    for channel in (2 * index, 2 * index + 1):
        await socket.send_bytes(bytes([channel]) + port.number.to_bytes(2, "little"))

    async def write(data: bytes) -> None:
        await socket.send_bytes(bytes([2 * index]) + data)

    async def close() -> None:
        """This form cannot say that a single port is done."""

    try:
        await _forward(dial, port.number, port.waiting.get, write, close)
    except ApiError as refused:
        await socket.send_bytes(bytes([2 * index + 1]) + _reason(refused))
