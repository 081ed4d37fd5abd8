"""Serving HTTP from an image: an aiohttp application, one access line per request, a graceful end."""

from __future__ import annotations

import asyncio
import logging
import os
import ssl
from collections.abc import Callable
from datetime import UTC, datetime

from aiohttp import web
from aiohttp.abc import AbstractAccessLogger

from meshcourse.embedded.images import common

#: Seconds between SIGTERM and the closed port: what a preStop hook is for in a real cluster, so that the
#: proxies that still balance to this pod hear of its end first.
DRAIN = 0.2
#: Seconds that requests in flight get after that.
GRACE = 5.0
#: Longer than Envoy keeps an idle upstream connection (1 h): the server never closes one that Envoy is about to use.
IDLE = 3660.0


class AccessLine(AbstractAccessLogger):
    """One line per request: time, request line, status, bytes, milliseconds, and the request id that the mesh gave."""

    @property
    def enabled(self) -> bool:
        return True

    def log(self, request: web.BaseRequest, response: web.StreamResponse, time: float) -> None:
        """Write the line; its last field joins the log to Envoy's access log and to the trace."""
        at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        identity = request.headers.get("x-request-id", "-")
        size = (
            response.content_length if response.content_length is not None else response.body_length
        )
        common.say(
            f'[{at}] "{request.method} {request.path_qs} HTTP/{request.version.major}.{request.version.minor}" '
            f"{response.status} {size} {time * 1000:.1f}ms {identity}"
        )


def application(server: str) -> web.Application:
    """An application whose answers carry `server` as their ``server`` header ("" for none)."""
    app = web.Application()

    async def name_the_server(request: web.Request, response: web.StreamResponse) -> None:
        response.headers.popall("Server", None)
        if server:
            response.headers["Server"] = server

    app.on_response_prepare.append(name_the_server)
    return app


async def serve(app: web.Application, port: int, tls: ssl.SSLContext | None = None) -> None:
    """Serve `app` at container port `port` until SIGTERM, over TLS if there is a context; requests in flight are
    answered.
    """
    runner = web.AppRunner(
        app,
        access_log_class=AccessLine,
        access_log=logging.getLogger("meshcourse.access"),
        keepalive_timeout=IDLE,
        shutdown_timeout=GRACE,
    )
    await runner.setup()
    try:
        host, real = common.listen(port)
        await web.TCPSite(runner, host, real, backlog=256, ssl_context=tls).start()
        common.say(f"listening on {'https' if tls else 'http'}://{host}:{real}")
        await common.until_stopped()
        await asyncio.sleep(float(os.environ.get("MESHCOURSE_DRAIN_SECONDS", DRAIN)))
    finally:
        await runner.cleanup()


def run(build: Callable[[], web.Application], port: int, tls: ssl.SSLContext | None = None) -> int:
    """Build an application inside a new event loop and serve it until SIGTERM; the exit code."""

    async def body() -> None:
        await serve(build(), port, tls)

    return common.run(body)
