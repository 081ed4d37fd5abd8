"""The workload behind the image ``jaegertracing/jaeger`` (all-in-one: collector, memory storage, query).

Ports as the add-on's Services expect them: 16686 query (below ``/jaeger``, from ``QUERY_BASE_PATH``), 9411 Zipkin,
4318 OTLP/HTTP, 4317 OTLP/gRPC.
"""

from __future__ import annotations

import os

from aiohttp import web

from meshcourse.embedded.addons.jaeger import page
from meshcourse.embedded.addons.jaeger.api import Ingestion, QueryApi
from meshcourse.embedded.addons.jaeger.store import Store
from meshcourse.embedded.images import common

QUERY_PORT, ZIPKIN_PORT, OTLP_HTTP_PORT, OTLP_GRPC_PORT = 16686, 9411, 4318, 4317
_LARGEST = 32 << 20


def main(argv: list[str]) -> int:
    """Entry of the image."""
    return common.run(_serve)


def query_app(store: Store, base: str) -> web.Application:
    """The query API and the page below `base` ("" or ``/jaeger``); the root leads there."""
    inner = web.Application()
    inner.add_routes([*QueryApi(store).routes(), *page.routes()])
    if not base:
        return inner
    outer = web.Application()

    async def to_base(request: web.Request) -> web.StreamResponse:
        raise web.HTTPFound(f"{base}/")

    # Before the inner application: its prefix claims the bare base as well, and answers 404.
    outer.add_routes([web.get("/", to_base), web.get(base, to_base)])
    outer.add_subapp(base, inner)
    return outer


async def _serve() -> None:
    from meshcourse.embedded.addons.jaeger import grpc_server

    store = Store()
    ingestion = Ingestion(store)
    apps = {QUERY_PORT: query_app(store, os.environ.get("QUERY_BASE_PATH", "/jaeger"))}
    for port, routes in (
        (ZIPKIN_PORT, ingestion.zipkin_routes()),
        (OTLP_HTTP_PORT, ingestion.otlp_routes()),
    ):
        apps[port] = web.Application(client_max_size=_LARGEST)
        apps[port].add_routes(routes)
    runners = [web.AppRunner(app, access_log=None) for app in apps.values()]
    server = await grpc_server.start(store, *common.listen(OTLP_GRPC_PORT))
    try:
        for port, runner in zip(apps, runners, strict=True):
            await runner.setup()
            await web.TCPSite(runner, *common.listen(port)).start()
        common.say(f"stand-in for Jaeger listening on {common.listen(QUERY_PORT)}")
        await common.until_stopped()
    finally:
        await server.stop(grace=0.5)
        for runner in runners:
            await runner.cleanup()
