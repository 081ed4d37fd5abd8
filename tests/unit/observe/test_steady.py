"""Traffic without an end: started, changed, stopped."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from meshcourse.errors import MeshcourseError
from meshcourse.observe.steady import Steady
from meshcourse.observe.traffic import Plan


@pytest.fixture
async def url() -> AsyncIterator[str]:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(text="ok")

    app = web.Application()

    async def seen(request: web.Request) -> web.Response:
        return web.Response(status=200 if request.headers.get("x-who") == "me" else 418)

    app.router.add_get("/", answer)
    app.router.add_get("/seen", seen)
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


async def test_other_requests_from_now_on(url: str) -> None:
    import asyncio

    steady = Steady(Plan(url=url, n=1, rate=100))
    await asyncio.to_thread(steady.start)
    await until(lambda: steady.result().n >= 5)
    await asyncio.to_thread(steady.ask, path="/seen?x=1", headers={"x-who": "me"})
    await asyncio.to_thread(steady.forget)
    await until(lambda: steady.result().n >= 5)
    assert steady.result().statuses.keys() == {200}
    await asyncio.to_thread(steady.ask, headers={})
    await until(lambda: 418 in steady.result().statuses)
    assert (steady.path, steady.headers, steady.user) == ("/seen?x=1", {}, "")
    with pytest.raises(MeshcourseError, match="not a path"):
        steady.ask(path="seen")
    steady.stop()
    await until(lambda: not any(run.running for run in steady._runs))


async def test_it_ends_after_its_seconds_also_when_it_was_changed(url: str) -> None:
    import asyncio

    steady = Steady(Plan(url=url, n=1, rate=50))
    steady.seconds = 0.6
    began = time.monotonic()
    await asyncio.to_thread(steady.start)
    await asyncio.to_thread(steady.change, 80.0)
    await until(lambda: not steady.running)
    assert time.monotonic() - began > 0.5
    before = steady.result().n
    await asyncio.to_thread(steady.start)
    await until(lambda: steady.result().n > before)
    steady.stop()
    await until(lambda: not any(run.running for run in steady._runs))
