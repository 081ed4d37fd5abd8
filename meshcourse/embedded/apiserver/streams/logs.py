"""``pods/log``: a container's output as chunked plain text."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from aiohttp import web

from meshcourse.embedded.apiserver.streams import options
from meshcourse.embedded.apiserver.streams.backend import NodeBackend
from meshcourse.embedded.kube import objects
from meshcourse.embedded.kube.objects import Object

#: How long a refusal of the node may take to still become a Status; then the headers go out without a first line.
_PATIENCE = 0.5


async def serve(
    request: web.Request, backend: NodeBackend, namespace: str, pod: Object
) -> web.StreamResponse:
    """:raises ApiError: as the node refuses, before anything is sent."""
    wanted = options.logs(request.query)
    container = options.container(pod, request.query.get("container", ""))
    chunks = backend.logs(namespace, objects.name(pod), container, wanted)
    first = asyncio.ensure_future(anext(chunks, None))
    try:
        await asyncio.wait({first}, timeout=_PATIENCE)
        if first.done():
            first.result()  # raises what the node refused
        response = web.StreamResponse(headers={"Content-Type": "text/plain"})
        await response.prepare(request)
        await _copy(response, first, chunks)
        return response
    finally:
        await _release(first, chunks)


async def _copy(
    response: web.StreamResponse, first: asyncio.Future[bytes | None], chunks: AsyncIterator[bytes]
) -> None:
    with contextlib.suppress(ConnectionError):
        chunk = await first
        while chunk is not None:
            await response.write(chunk)
            chunk = await anext(chunks, None)


async def _release(first: asyncio.Future[bytes | None], chunks: AsyncIterator[bytes]) -> None:
    """Let the node stop following, also when the client has gone."""
    first.cancel()
    with contextlib.suppress(asyncio.CancelledError, Exception):
        await first
    close = getattr(chunks, "aclose", None)
    if close is not None:
        await close()
