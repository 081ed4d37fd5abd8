"""A port-forward: a local port whose connections go to a port of a pod, through the API server.

Source: the kubelet's WebSocket port-forward (``v4.channel.k8s.io``): data on channel 0, errors on channel 1; the first
frame of each channel carries the port's number.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import Final

import aiohttp

from meshcourse.embedded.client import config
from meshcourse.embedded.istioctl.context import Context, Failure
from meshcourse.embedded.kube.objects import Key

_PROTOCOL: Final = "v4.channel.k8s.io"
_DATA: Final = 0
_CHUNK: Final = 64 * 1024


@contextlib.asynccontextmanager
async def listen(
    ctx: Context, pod: Key, port: int, host: str, locals_: Sequence[int]
) -> AsyncIterator[tuple[str, int]]:
    """Forward as long as the context lasts; host and port to connect to.

    :param locals_: local ports in the order of preference; 0 is any.
    :raises Failure: if none of them is free.
    """
    forward = _Forward(ctx, pod, port)
    server = await _bind(forward, host, locals_)
    try:
        yield host, server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await forward.close()


async def _bind(forward: _Forward, host: str, locals_: Sequence[int]) -> asyncio.Server:
    problem: OSError | None = None
    for local in locals_:
        try:
            return await asyncio.start_server(forward.serve, host, local)
        except OSError as error:
            problem = error
    raise Failure(f"failure running port forward process: {problem}")


class _Forward:
    """Every local connection dials anew."""

    def __init__(self, ctx: Context, pod: Key, port: int) -> None:
        self._endpoint = config.from_kubeconfig(ctx.kubeconfig, ctx.context)
        path = f"/api/v1/namespaces/{pod.namespace}/pods/{pod.name}/portforward"
        self._url = f"{self._endpoint.url}{path}?ports={port}"
        self._tasks: set[asyncio.Task[None]] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        try:
            await self._connect(reader, writer)
        except (aiohttp.ClientError, OSError):
            pass  # the local side sees a closed connection
        finally:
            writer.close()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        bearer = self._endpoint.bearer()
        headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(
                self._url,
                headers=headers,
                ssl=self._endpoint.tls(),
                protocols=(_PROTOCOL,),
                max_msg_size=0,
            ) as socket,
        ):
            upload = asyncio.create_task(_upload(reader, socket))
            try:
                await _download(socket, writer)
            finally:
                upload.cancel()
                with contextlib.suppress(asyncio.CancelledError, OSError):
                    await upload

    async def close(self) -> None:
        """End the connections that are open."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def _upload(reader: asyncio.StreamReader, socket: aiohttp.ClientWebSocketResponse) -> None:
    while data := await reader.read(_CHUNK):
        await socket.send_bytes(bytes([_DATA]) + data)
    await socket.close()


async def _download(socket: aiohttp.ClientWebSocketResponse, writer: asyncio.StreamWriter) -> None:
    greeted: set[int] = set()
    async for message in socket:
        if message.type is not aiohttp.WSMsgType.BINARY or not message.data:
            continue
        channel, data = message.data[0], message.data[1:]
        if channel not in greeted:
            greeted.add(channel)  # the port's number
        elif channel == _DATA:
            writer.write(data)
            await writer.drain()
        else:
            return
