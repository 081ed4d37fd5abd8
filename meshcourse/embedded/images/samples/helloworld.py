"""helloworld: says its version, and works for it: a target for canaries and autoscaling (istio samples/helloworld)."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping

from aiohttp import web

from meshcourse.embedded.images import common
from meshcourse.embedded.images import web as serving

PORT = 5000
#: Square roots a request costs, so that load shows up as CPU.
EFFORT = 1_000_000


def toil(rounds: int = EFFORT) -> float:
    """Keep one core busy for a moment."""
    x = 0.0001
    for _ in range(rounds):
        x += math.sqrt(x)
    return x


def application(env: Mapping[str, str] = os.environ, *, effort: int = EFFORT) -> web.Application:
    """The aiohttp application."""
    app = serving.application("meshcourse-helloworld")

    async def hello(request: web.Request) -> web.Response:
        toil(effort)
        return web.Response(
            text=f"Hello version: {env.get('SERVICE_VERSION')}, instance: {env.get('HOSTNAME')}\n",
            content_type="text/html",
        )

    async def health(request: web.Request) -> web.Response:
        return web.Response(text="Helloworld is healthy", content_type="text/html")

    app.router.add_get("/hello", hello)
    app.router.add_get("/health", health)
    return app


def main_v1(argv: list[str]) -> int:
    """Image examples-helloworld-v1."""
    common.bake(SERVICE_VERSION="v1")
    return serving.run(application, common.port_argument(argv, PORT))


def main_v2(argv: list[str]) -> int:
    """Image examples-helloworld-v2."""
    common.bake(SERVICE_VERSION="v2")
    return serving.run(application, common.port_argument(argv, PORT))
