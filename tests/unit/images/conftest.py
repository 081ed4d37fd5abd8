"""Tools for testing images: a fake back end that keeps what it was asked, and clients that are closed again."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

Client = TestClient[web.Request, web.Application]


@dataclass
class Backend:
    """A back end on a real loopback port; `answer` decides, `requests` remembers."""

    answer: Callable[[web.Request], Awaitable[web.StreamResponse]]
    requests: list[web.Request] = field(default_factory=list)
    server: TestServer | None = None

    async def start(self) -> None:
        app = web.Application()

        async def handle(request: web.Request) -> web.StreamResponse:
            self.requests.append(request)
            return await self.answer(request)

        app.router.add_route("*", "/{path:.*}", handle)
        self.server = TestServer(app, host="127.0.0.1")
        await self.server.start_server()

    @property
    def port(self) -> int:
        assert self.server is not None
        assert self.server.port is not None
        return self.server.port

    def env(self, app: str) -> dict[str, str]:
        """The variables that point a Bookinfo service at this back end."""
        return {
            f"{app.upper()}_HOSTNAME": "127.0.0.1",
            f"{app.upper()}_SERVICE_PORT": str(self.port),
        }


StartBackend = Callable[..., Awaitable[Backend]]
Connect = Callable[[web.Application], Awaitable[Client]]


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine's own proxy settings must not decide where a test's requests go."""
    for name in ("http_proxy", "https_proxy", "HTTPS_PROXY", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
async def backend() -> AsyncIterator[StartBackend]:
    """``await backend(body, status)`` or ``await backend(answer=handler)`` starts a fake back end."""
    started: list[Backend] = []

    async def start(
        body: Any = None,
        status: int = 200,
        answer: Callable[[web.Request], Awaitable[web.StreamResponse]] | None = None,
    ) -> Backend:
        async def fixed(request: web.Request) -> web.StreamResponse:
            return web.json_response(body, status=status)

        made = Backend(answer or fixed)
        await made.start()
        started.append(made)
        return made

    yield start
    for made in started:
        assert made.server is not None
        await made.server.close()


@pytest.fixture
async def client() -> AsyncIterator[Connect]:
    """``await client(application)`` serves an image's application and talks to it, without following redirects."""
    made: list[Client] = []

    async def connect(app: web.Application) -> Client:
        one: Client = TestClient(TestServer(app, host="127.0.0.1"))
        await one.start_server()
        made.append(one)
        return one

    yield connect
    for one in made:
        await one.close()
