"""nginx: a static page, and whatever a pod mounts at /usr/share/nginx/html. A stand-in, and the page says so."""

from __future__ import annotations

import mimetypes
from pathlib import Path

from aiohttp import web

from meshcourse.embedded.images import common
from meshcourse.embedded.images import web as serving

PORT = 80
ROOT = "/usr/share/nginx/html"
WELCOME = """<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>Welcome to nginx!</title></head>
<body>
<h1>Welcome to nginx!</h1>
<p>This is meshcourse's stand-in for the nginx image: static files only, no nginx behind it.</p>
</body>
</html>
"""


def application(root: Path) -> web.Application:
    """The aiohttp application that serves the files below `root`."""
    app = serving.application("meshcourse-nginx")

    async def file(request: web.Request) -> web.Response:
        found = (root / request.match_info["path"]).resolve()
        if found.is_dir():
            found = found / "index.html"
        if found.is_relative_to(root.resolve()) and found.is_file():
            kind = mimetypes.guess_type(found.name)[0] or "application/octet-stream"
            return web.Response(body=found.read_bytes(), content_type=kind)
        if request.match_info["path"] in ("", "index.html"):
            return web.Response(text=WELCOME, content_type="text/html")
        raise web.HTTPNotFound

    app.router.add_get("/{path:.*}", file)
    return app


def main(argv: list[str]) -> int:
    """Image nginx."""
    return serving.run(lambda: application(common.mounted(ROOT)), PORT)
