"""Handlers that tell the caller about the request: /get, /post, /anything, /headers, /ip, /cookies, /gzip, …"""

from __future__ import annotations

import gzip
import uuid
import zlib

from aiohttp import web

from meshcourse.embedded.images.httpbin import answers, echo


async def get(request: web.Request) -> web.Response:
    """``/get`` and ``/head``."""
    return answers.as_json(echo.without_body(request))


async def body(request: web.Request) -> web.Response:
    """``/post``, ``/put``, ``/patch``, ``/delete`` and ``/anything…``."""
    if request.method == "HEAD":
        return await get(request)
    return answers.as_json(await echo.with_body(request))


async def headers(request: web.Request) -> web.Response:
    """``/headers``."""
    return answers.as_json({"headers": echo.headers(request)})


async def ip(request: web.Request) -> web.Response:
    """``/ip``."""
    return answers.as_json({"origin": echo.origin(request)})


async def user_agent(request: web.Request) -> web.Response:
    """``/user-agent``."""
    return answers.as_json({"user-agent": request.headers.get("User-Agent", "")})


async def fresh_uuid(request: web.Request) -> web.Response:
    """``/uuid``."""
    return answers.as_json({"uuid": str(uuid.uuid4())})


async def hostname(request: web.Request) -> web.Response:
    """``/hostname``: the fixed name that go-httpbin gives unless told otherwise."""
    return answers.as_json({"hostname": "go-httpbin"})


async def gzipped(request: web.Request) -> web.Response:
    """``/gzip``."""
    text = answers.text_of(echo.without_body(request) | {"url": "", "gzipped": True})
    return answers.raw(gzip.compress(text.encode()), answers.JSON_TYPE, Content_Encoding="gzip")


async def deflated(request: web.Request) -> web.Response:
    """``/deflate``."""
    text = answers.text_of(echo.without_body(request) | {"url": "", "deflated": True})
    return answers.raw(zlib.compress(text.encode()), answers.JSON_TYPE, Content_Encoding="deflate")


async def response_headers(request: web.Request) -> web.Response:
    """``/response-headers``: the query's names and values become headers, and the body."""
    response = answers.as_json(echo.args(request))
    for name, value in request.query.items():
        if name.lower() == "content-type":
            response.headers[name] = value
        else:
            response.headers.add(name, value)
    return response


async def dump(request: web.Request) -> web.Response:
    """``/dump/request``: the request as HTTP/1.1 text."""
    lines = [f"{request.method} {request.path_qs} HTTP/1.1"]
    lines += [
        f"{name}: {value}" for name, values in echo.headers(request).items() for value in values
    ]
    text = "\r\n".join(lines) + "\r\n\r\n"
    return answers.raw(text.encode() + await request.read(), answers.TEXT_TYPE)


async def cookies(request: web.Request) -> web.Response:
    """``/cookies``."""
    return answers.as_json(dict(sorted(request.cookies.items())))


async def set_cookies(request: web.Request) -> web.Response:
    """``/cookies/set``: the query becomes cookies."""
    response = web.Response(status=302, headers={"Location": "/cookies"})
    for name in request.query:
        response.set_cookie(name, request.query[name], httponly=True)
    return response


async def delete_cookies(request: web.Request) -> web.Response:
    """``/cookies/delete``."""
    response = web.Response(status=302, headers={"Location": "/cookies"})
    for name in request.query:
        response.del_cookie(name)
    return response
