"""The page: search, waterfall, dependency graph. Works offline and below any path prefix."""

from __future__ import annotations

from importlib import resources

from aiohttp import web


def routes() -> list[web.RouteDef]:
    """The paths of Jaeger's own page; all of them show ours."""
    return [web.get(path, _index) for path in ("/", "/search", "/dependencies", "/trace/{id}")]


async def _index(request: web.Request) -> web.Response:
    text = resources.files(__package__).joinpath("page.html").read_text()
    return web.Response(text=text, content_type="text/html")
