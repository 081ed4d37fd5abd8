"""The page: live graph and validations. Works offline and below any path prefix."""

from __future__ import annotations

from functools import cache
from importlib import resources

from aiohttp import web


def routes() -> list[web.RouteDef]:
    """The paths of Kiali's own console; all of them show ours."""
    return [web.get(path, _index) for path in ("/", "/console", "/console/{rest:.*}")]


@cache
def _text() -> str:
    """The page with its style and script inside: one request, whatever the prefix."""
    files = resources.files(__package__)
    text = files.joinpath("page.html").read_text()
    for name in ("page.css", "layout.js", "page.js"):
        text = text.replace(f"/*{name}*/", files.joinpath(name).read_text())
    return text


async def _index(request: web.Request) -> web.Response:
    return web.Response(text=_text(), content_type="text/html")
