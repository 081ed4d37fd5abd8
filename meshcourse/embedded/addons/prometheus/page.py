"""The page at ``/graph``: a query box, a table and a graph. Works offline and below any path prefix."""

from __future__ import annotations

from importlib import resources

from aiohttp import web


def routes() -> list[web.RouteDef]:
    return [web.get("/", _index), web.get("/graph", _index)]


async def _index(request: web.Request) -> web.Response:
    text = resources.files(__package__).joinpath("page.html").read_text()
    return web.Response(text=text, content_type="text/html")
