"""The routes of httpbin, and its image."""

from __future__ import annotations

import os
import ssl
from collections.abc import Awaitable, Callable

from aiohttp import web

from meshcourse.embedded.images import common
from meshcourse.embedded.images import web as serving
from meshcourse.embedded.images.httpbin import answers, deciding, documents, flowing, inspecting

PORT = 8080
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

#: Routes for one method.
BY_METHOD: tuple[tuple[str, str, Handler], ...] = (
    ("GET", "/", documents.index),
    ("GET", "/get", inspecting.get),
    ("HEAD", "/head", inspecting.get),
    ("POST", "/post", inspecting.body),
    ("PUT", "/put", inspecting.body),
    ("PATCH", "/patch", inspecting.body),
    ("DELETE", "/delete", inspecting.body),
    ("GET", "/websocket/echo", flowing.websocket),
)
#: Routes for any method.
ANY: dict[str, Handler] = {
    "/absolute-redirect/{count}": deciding.redirect,
    "/anything": inspecting.body,
    "/anything/{rest:.*}": inspecting.body,
    "/base64/{data}": deciding.base64_path,
    "/base64/{operation}/{data}": deciding.base64_path,
    "/basic-auth/{user}/{password}": deciding.basic_auth,
    "/bearer": deciding.bearer,
    "/bytes/{count}": flowing.some_bytes,
    "/cache": deciding.cache,
    "/cache/{seconds}": deciding.cache_control,
    "/cookies": inspecting.cookies,
    "/cookies/delete": inspecting.delete_cookies,
    "/cookies/set": inspecting.set_cookies,
    "/deflate": inspecting.deflated,
    "/delay/{duration}": flowing.delay,
    "/deny": documents.deny,
    "/drip": flowing.drip,
    "/dump/request": inspecting.dump,
    "/etag/{etag}": deciding.etag,
    "/gzip": inspecting.gzipped,
    "/headers": inspecting.headers,
    "/hidden-basic-auth/{user}/{password}": deciding.hidden_basic_auth,
    "/hostname": inspecting.hostname,
    "/html": documents.page,
    "/ip": inspecting.ip,
    "/json": documents.sample,
    "/redirect-to": deciding.redirect_to,
    "/redirect/{count}": deciding.redirect,
    "/relative-redirect/{count}": deciding.redirect,
    "/response-headers": inspecting.response_headers,
    "/robots.txt": documents.robots,
    "/sse": flowing.events,
    "/status/{code}": deciding.status,
    "/stream-bytes/{count}": flowing.stream_bytes,
    "/stream/{lines}": flowing.stream,
    "/unstable": deciding.unstable,
    "/user-agent": inspecting.user_agent,
    "/uuid": inspecting.fresh_uuid,
    "/xml": documents.xml,
}


@web.middleware
async def manners(request: web.Request, handler: Handler) -> web.StreamResponse:
    """What goes for every route: preflights are allowed, mistakes are 400 with a reason, and misses read as Go's."""
    if request.method == "OPTIONS":
        return web.Response(headers=_preflight(request))
    try:
        return await handler(request)
    except answers.BadRequest as error:
        return answers.error(400, str(error))
    except web.HTTPRequestEntityTooLarge:
        return answers.error(400, "error parsing request body: http: request body too large")
    except web.HTTPMethodNotAllowed as error:
        allow = error.headers.get("Allow", "")
        return answers.raw("Method Not Allowed\n", answers.TEXT_TYPE, 405, Allow=allow)
    except web.HTTPNotFound:
        return answers.raw("404 page not found\n", answers.TEXT_TYPE, 404)


def _preflight(request: web.Request) -> dict[str, str]:
    allowed = {
        "Access-Control-Allow-Methods": "GET, POST, HEAD, PUT, DELETE, PATCH, OPTIONS",
        "Access-Control-Max-Age": "3600",
    }
    wanted = request.headers.get("Access-Control-Request-Headers")
    return allowed | ({"Access-Control-Allow-Headers": wanted} if wanted else {})


async def _any_origin(request: web.Request, response: web.StreamResponse) -> None:
    response.headers["Access-Control-Allow-Origin"] = request.headers.get("Origin", "*")
    response.headers["Access-Control-Allow-Credentials"] = "true"


def application() -> web.Application:
    """The aiohttp application."""
    app = serving.application("")
    app.middlewares.append(manners)
    app.on_response_prepare.append(_any_origin)
    for method, path, handler in BY_METHOD:
        app.router.add_get(path, handler) if method == "GET" else app.router.add_route(
            method, path, handler
        )
    for path, handler in ANY.items():
        app.router.add_route("*", path, handler)
    return app


def certificate(env: common.Environment = os.environ) -> ssl.SSLContext | None:
    """TLS with the files that ``HTTPS_CERT_FILE`` and ``HTTPS_KEY_FILE`` name, as the original takes them."""
    chain, key = env.get("HTTPS_CERT_FILE"), env.get("HTTPS_KEY_FILE")
    if not (chain and key):
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(common.mounted(chain, env), common.mounted(key, env))
    return context


def main(argv: list[str]) -> int:
    """Image mccutchen/go-httpbin; ``-port N`` or ``$PORT`` as the original takes it."""
    port = common.port_argument(argv, int(os.environ.get("PORT", PORT)))
    return serving.run(application, port, certificate())
