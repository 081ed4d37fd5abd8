"""Running a command in a container, through the API server (WebSocket, ``v5.channel.k8s.io``)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import aiohttp

from meshcourse.embedded.client import config
from meshcourse.embedded.istioctl.context import Context, Failure

_PROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io")
_STDOUT, _STDERR, _ERROR = 1, 2, 3
_GOODBYE, _GOODBYE_STEPS = 1.0, 200  # seconds at most, and how often to look
_TIMEOUT = aiohttp.ClientTimeout(total=60, sock_connect=10)


async def run(
    ctx: Context, namespace: str, pod: str, container: str, command: Sequence[str]
) -> bytes:
    """The command's standard output.

    :raises Failure: if it cannot be run or fails; with its standard error.
    """
    endpoint = config.from_kubeconfig(ctx.kubeconfig, ctx.context)
    query = [("container", container), ("stdout", "true"), ("stderr", "true")]
    query += [("command", word) for word in command]
    url = f"{endpoint.url}/api/v1/namespaces/{namespace}/pods/{pod}/exec"
    headers = {"Authorization": f"Bearer {endpoint.bearer()}"} if endpoint.bearer() else {}
    try:
        async with (
            aiohttp.ClientSession(timeout=_TIMEOUT) as session,
            session.ws_connect(
                url,
                params=query,
                headers=headers,
                ssl=endpoint.tls(),
                protocols=_PROTOCOLS,
                max_msg_size=0,
            ) as socket,
        ):
            raw = socket.get_extra_info("socket")
            output = await _collect(socket)
        await _closed(raw)
    except aiohttp.WSServerHandshakeError as error:
        raise Failure(_refusal(error, namespace, pod, container)) from error
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        raise Failure(f"cannot run a command in pod {pod}.{namespace}: {error}") from error
    return output


async def _closed(raw: Any) -> None:
    """Wait for the other side's goodbye, so that no half-closed connection outlives the event loop."""
    for _ in range(_GOODBYE_STEPS):
        if raw is None or raw.fileno() == -1:
            return
        await asyncio.sleep(_GOODBYE / _GOODBYE_STEPS)


async def _collect(socket: aiohttp.ClientWebSocketResponse) -> bytes:
    streams: dict[int, list[bytes]] = {_STDOUT: [], _STDERR: [], _ERROR: []}
    async for message in socket:
        if message.type is aiohttp.WSMsgType.BINARY and message.data[:1]:
            streams.setdefault(message.data[0], []).append(message.data[1:])
    status = json.loads(b"".join(streams[_ERROR]) or b"{}")
    if status.get("status") == "Failure":
        said = b"".join(streams[_STDERR]).decode(errors="replace").strip()
        raise Failure(said or str(status.get("message") or "the command failed"))
    return b"".join(streams[_STDOUT])


def _refusal(
    error: aiohttp.WSServerHandshakeError, namespace: str, pod: str, container: str
) -> str:
    if error.status == 404:
        return f'pods "{pod}" not found in namespace "{namespace}"'
    if error.status == 400:
        return f"container {container} is not valid for pod {pod}"
    return f"cannot run a command in pod {pod}.{namespace}: {error.status} {error.message}"
