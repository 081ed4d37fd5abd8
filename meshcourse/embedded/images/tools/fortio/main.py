"""fortio's entry point: ``fortio load|curl|server``."""

from __future__ import annotations

import asyncio
import sys

from aiohttp import web

from meshcourse.embedded.images import common
from meshcourse.embedded.images import web as serving
from meshcourse.embedded.images.tools.fortio import connection, load
from meshcourse.embedded.images.tools.fortio.options import Options, UsageError, parse, seconds

USAGE = """usage: fortio load [-c N] [-qps Q] [-n CALLS] [-t DURATION] [-H HEADER] URL
       fortio curl [-H HEADER] URL
       fortio server [-http-port P]"""


def echo_application() -> web.Application:
    """The echo server: ``/echo?status=503&delay=10ms`` sends the body back, ``/debug`` describes the request."""
    app = serving.application("")

    async def echo(request: web.Request) -> web.Response:
        await asyncio.sleep(seconds(request.query.get("delay") or "0"))
        status = int(request.query.get("status") or 200)
        return web.Response(body=await request.read(), status=status, content_type="text/plain")

    async def debug(request: web.Request) -> web.Response:
        lines = [f"{request.method} {request.path_qs} HTTP/1.1", ""]
        lines += [f"{name}: {value}" for name, value in request.headers.items()]
        return web.Response(text="\n".join(lines) + "\n")

    app.router.add_route("*", "/debug", debug)
    app.router.add_route("*", "/{path:.*}", echo)
    return app


async def _curl(options: Options) -> int:
    once = connection.Connection(options)
    reply = await once.call()
    once.close()
    # Headers go to standard error and the body to standard output, so that `fortio curl URL | jq` works.
    sys.stderr.buffer.write(reply.data[: reply.head_size])
    sys.stderr.flush()
    sys.stdout.buffer.write(reply.data[reply.head_size :])
    sys.stdout.flush()
    return 0 if connection.ok(reply.code) else 1


def main(argv: list[str]) -> int:
    """``fortio …``."""
    command = argv[1] if len(argv) > 1 else ""
    try:
        options = parse(argv[2:])
        if command not in ("load", "curl", "server") or (command != "server" and not options.url):
            raise UsageError(
                "a command and a URL are needed"
                if command in ("load", "curl")
                else f"no command {command!r}"
            )
    except UsageError as error:
        common.complain(f"Error: {error}\n{USAGE}")
        return 1
    if command == "server":
        return serving.run(echo_application, options.http_port)
    return asyncio.run(load.run(options) if command == "load" else _curl(options))
