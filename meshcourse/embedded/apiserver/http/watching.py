"""Watches over HTTP: one JSON line an event, flushed at once."""

from __future__ import annotations

import contextlib
import random

import orjson
from aiohttp import web
from multidict import MultiMapping

from meshcourse.embedded.apiserver.core import Core
from meshcourse.embedded.apiserver.http import negotiate, queries
from meshcourse.embedded.apiserver.http.negotiate import Wish
from meshcourse.embedded.apiserver.rest import filters
from meshcourse.embedded.apiserver.rest import watch as watches
from meshcourse.embedded.apiserver.rest.call import Call
from meshcourse.embedded.apiserver.rest.watch import Change, Watch, WatchOptions
from meshcourse.embedded.kube.status import ApiError


async def serve(core: Core, request: web.Request, call: Call) -> web.StreamResponse:
    """Stream changes until the deadline, the end of the server or the client's going."""
    query = request.query
    labels, fields = query.get("labelSelector", ""), query.get("fieldSelector", "")
    chosen = filters.parse(call.kind, labels, fields, call.name)
    wanted = negotiate.wish(request)
    try:
        watch = Watch(core, call, chosen, _options(query))
    except ApiError as error:
        if error.code != 410:
            raise
        return await _stream(request, None, _error(error), _Encoder(call, wanted))
    with contextlib.closing(watch):
        return await _stream(request, watch, b"", _Encoder(call, wanted))


def _options(query: MultiMapping[str]) -> WatchOptions:
    seconds = queries.whole(query, "timeoutSeconds") or random.uniform(1800, 3600)
    return WatchOptions(
        query.get("resourceVersion", ""),
        queries.flag(query, "allowWatchBookmarks"),
        queries.flag(query, "sendInitialEvents"),
        float(seconds),
    )


def _error(error: ApiError) -> bytes:
    return orjson.dumps({"type": "ERROR", "object": error.to_status()}) + b"\n"


async def _stream(
    request: web.Request, watch: Watch | None, first: bytes, encoder: _Encoder
) -> web.StreamResponse:
    response = web.StreamResponse(
        headers={"Content-Type": "application/json", "Cache-Control": "no-cache, private"}
    )
    with contextlib.suppress(ConnectionError):
        await response.prepare(request)
        if first:
            await response.write(first)
        if watch:
            async with contextlib.aclosing(aiter(watch)) as batches:  # type: ignore[type-var]
                async for changes in batches:
                    await response.write(b"".join(map(encoder.line, changes)))
        await response.write_eof()
    return response


class _Encoder:
    """Changes as lines. Watchers of one representation share the encoding of an event."""

    def __init__(self, call: Call, wanted: Wish) -> None:
        self._call = call
        self._wish = wanted
        self._first = True

    def line(self, change: Change) -> bytes:
        if change.event is None or (self._first and self._wish.shape == "Table"):
            return self._encode(change)
        key = (change.type, self._call.resource, self._wish)
        found = change.event.cache.get(key)
        if found is None:
            found = change.event.cache[key] = self._encode(change)
        return bytes(found)

    def _encode(self, change: Change) -> bytes:
        obj = negotiate.one(self._call.kind, watches.served(self._call, change), self._wish)
        if self._wish.shape == "Table" and not self._first:
            obj = {**obj, "columnDefinitions": None}  # the first event has told them
        self._first = False
        return orjson.dumps({"type": change.type, "object": obj}) + b"\n"
