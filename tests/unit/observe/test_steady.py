"""Traffic without an end: started, changed, stopped."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from meshcourse.observe.steady import Steady
from meshcourse.observe.traffic import Plan


@pytest.fixture
async def url() -> AsyncIterator[str]:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(text="ok")

    app = web.Application()
    app.router.add_get("/", answer)
    async with TestServer(app) as server:
        yield str(server.make_url("/"))


async def until(condition: Callable[[], bool], seconds: float = 15.0) -> None:
    import asyncio

    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


async def test_start_change_stop(url: str) -> None:
    import asyncio

    steady = Steady(Plan(url=url, n=1, rate=30))
    assert (steady.running, steady.now, steady.result().n) == (False, 0.0, 0)
    await asyncio.to_thread(steady.start)
    await asyncio.to_thread(steady.start)
    await until(lambda: steady.result().n >= 10)
    assert steady.running
    assert steady.now > 0
    await asyncio.to_thread(steady.change, 100.0)
    before = steady.result().n
    await until(lambda: steady.result().n >= before + 30)
    steady.stop()
    await until(lambda: not steady.running)
    assert steady.result().failed == 0
    await until(lambda: not any(run.running for run in steady._runs))
    rest = steady.result().n
    await asyncio.sleep(0.3)
    assert steady.result().n == rest
    assert steady.rate == 100.0
