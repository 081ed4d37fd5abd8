"""Handlers that take their time or send in pieces: /delay, /drip, /stream, /bytes, /sse, /websocket/echo, …"""

from __future__ import annotations

import asyncio
import json
import random
import time

from aiohttp import WSMsgType, web

from meshcourse.embedded.images.httpbin import answers, echo, inspecting

#: Most seconds that a caller may order (go-httpbin's -max-duration).
MAX_SECONDS = 10.0
#: Most bytes of a body.
MAX_BODY = 1024 * 1024
#: Most bytes of /bytes and /stream-bytes.
MAX_BYTES = 100 * 1024


async def delay(request: web.Request) -> web.Response:
    """``/delay/N``: N seconds, or a duration such as ``200ms``, up to 10 s."""
    wait = answers.seconds(request.match_info["duration"], "invalid duration", MAX_SECONDS)
    await asyncio.sleep(wait)
    response = await inspecting.body(request)
    response.headers["Server-Timing"] = answers.timing(initial_delay=wait)
    return response


def _seconds(request: web.Request, name: str, default: float) -> float:
    return answers.seconds(request.query.get(name) or str(default), f"invalid {name}", MAX_SECONDS)


async def _begin(
    request: web.Request, kind: str, status: int = 200, length: int | None = None
) -> web.StreamResponse:
    response = web.StreamResponse(status=status, headers={"Content-Type": kind})
    if length is not None:
        response.content_length = length
    await response.prepare(request)
    return response


async def drip(request: web.Request) -> web.StreamResponse:
    """``/drip?duration=2&delay=2&numbytes=10&code=200``: bytes one by one."""
    duration, wait = _seconds(request, "duration", 2), _seconds(request, "delay", 2)
    count = answers.integer(request.query.get("numbytes", "10"), "invalid numbytes")
    if not 1 <= count <= MAX_BODY:
        raise answers.BadRequest(f"invalid numbytes: {count} not in range [1, {MAX_BODY}]")
    code = answers.status_code(request.query.get("code", "200"))
    if duration + wait > MAX_SECONDS:
        raise answers.BadRequest(f"too much time: {duration:g}s+{wait:g}s > {MAX_SECONDS:g}s")
    await asyncio.sleep(wait)
    response = await _begin(request, answers.TEXT_TYPE, code, count)
    pause = duration / max(count - 1, 1)
    for sent in range(count):
        await response.write(b"*")
        if pause and sent < count - 1:
            await asyncio.sleep(pause)
    return response


async def stream(request: web.Request) -> web.StreamResponse:
    """``/stream/N``: up to 100 lines of JSON."""
    lines = min(max(answers.integer(request.match_info["lines"], "invalid count"), 1), 100)
    about = echo.without_body(request)
    about.pop("method")
    response = await _begin(request, answers.TEXT_TYPE)
    for number in range(lines):
        line = json.dumps({"id": number} | about, separators=(",", ":"))
        await response.write(line.encode() + b"\n")
    return response


def _random_bytes(request: web.Request) -> bytes:
    count = answers.integer(request.match_info["count"], "invalid byte count")
    if count < 0:
        raise answers.BadRequest(f"invalid byte count: {count} must be greater than 0")
    seed = request.query.get("seed")
    die = random.Random(answers.integer(seed, "invalid seed") if seed else None)
    return die.randbytes(min(count, MAX_BYTES))


async def some_bytes(request: web.Request) -> web.Response:
    """``/bytes/N?seed=1``."""
    return answers.raw(_random_bytes(request), answers.BINARY_TYPE)


async def stream_bytes(request: web.Request) -> web.StreamResponse:
    """``/stream-bytes/N?seed=1&chunk_size=10240``."""
    data = _random_bytes(request)
    chunk = answers.integer(request.query.get("chunk_size") or "10240", "invalid chunk_size")
    response = await _begin(request, answers.BINARY_TYPE)
    for start in range(0, len(data), max(chunk, 1)):
        await response.write(data[start : start + max(chunk, 1)])
    return response


async def events(request: web.Request) -> web.StreamResponse:
    """``/sse?count=10&duration=5s&delay=0``: server-sent events."""
    count = answers.integer(request.query.get("count") or "10", "invalid count")
    if not 1 <= count <= 1000:
        raise answers.BadRequest("invalid count: must in range [1, 1000]")
    duration, wait = _seconds(request, "duration", 5), _seconds(request, "delay", 0)
    if duration + wait > MAX_SECONDS:
        return answers.raw("Too much time\n", answers.TEXT_TYPE, 400)
    await asyncio.sleep(wait)
    response = await _begin(request, "text/event-stream; charset=utf-8")
    for number in range(count):
        event = json.dumps(
            {"id": number, "timestamp": int(time.time() * 1000)}, separators=(",", ":")
        )
        await response.write(f"event: ping\ndata: {event}\n\n".encode())
        if number < count - 1:
            await asyncio.sleep(duration / (count - 1))
    return response


async def websocket(request: web.Request) -> web.WebSocketResponse:
    """``/websocket/echo``: every message comes back."""
    socket = web.WebSocketResponse(timeout=MAX_SECONDS, max_msg_size=MAX_BODY)
    if not socket.can_prepare(request):
        raise answers.BadRequest('missing required "Upgrade: websocket" header')
    await socket.prepare(request)
    async for message in socket:
        if message.type is WSMsgType.TEXT:
            await socket.send_str(message.data)
        elif message.type is WSMsgType.BINARY:
            await socket.send_bytes(message.data)
    return socket
