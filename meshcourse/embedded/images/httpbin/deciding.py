"""Handlers whose outcome the caller orders: /status, /redirect, /basic-auth, /bearer, /cache, /etag, /unstable, …"""

from __future__ import annotations

import base64
import binascii
import hashlib
import random
from email.utils import formatdate
from typing import Any

from aiohttp import web

from meshcourse.embedded.images.httpbin import answers, echo, inspecting

REALM = {"WWW_Authenticate": 'Basic realm="Fake Realm"'}
#: Headers that some codes bring along.
EXTRAS: dict[int, dict[str, str]] = {
    **{code: {"Location": "/redirect/1"} for code in (301, 302, 303, 305, 307)},
    300: {"Location": "/image/jpeg"},
    308: {"Location": "/image/jpeg"},
    401: REALM,
    407: {"Proxy_Authenticate": 'Basic realm="Fake Realm"'},
    418: {"X_More_Info": "http://tools.ietf.org/html/rfc2324"},
}
BODIES = {418: "I'm a teapot!"}


async def status(request: web.Request) -> web.Response:
    """``/status/503`` or a die: ``/status/200:9,503`` gives 503 in a tenth of the answers."""
    text = request.match_info["code"]
    code = _roll(text) if "," in text else answers.status_code(text)
    return answers.raw(BODIES.get(code, ""), answers.TEXT_TYPE, code, **EXTRAS.get(code, {}))


def _roll(text: str) -> int:
    codes, weights = [], []
    for choice in text.split(","):
        code, _, weight = choice.partition(":")
        if not code.isdigit():
            raise answers.BadRequest(f'invalid choice value: "{code}"')
        codes.append(int(code))
        try:
            weights.append(float(weight or 1))
        except ValueError as cause:
            raise answers.BadRequest(f'invalid weight value: "{weight}"') from cause
    return random.choices(codes, weights)[0]


async def unstable(request: web.Request) -> web.Response:
    """``/unstable?failure_rate=0.5&seed=1``: 500 now and then."""
    rate = answers.number(request.query.get("failure_rate", "0.5"), "invalid failure rate")
    if not 0 <= rate <= 1:
        raise answers.BadRequest(f"invalid failure rate: {rate:g} not in range [0, 1]")
    seed = request.query.get("seed")
    die = random.Random(answers.integer(seed, "invalid seed") if seed else None)
    return answers.raw("", answers.TEXT_TYPE, 500 if die.random() < rate else 200)


def _redirect(location: str, code: int = 302) -> web.Response:
    return web.Response(status=code, headers={"Location": location})


async def redirect(request: web.Request) -> web.Response:
    """``/redirect/N`` and its relative and absolute sisters: N hops, then /get."""
    count = answers.integer(request.match_info["count"], "invalid redirect count")
    if count < 1:
        raise answers.BadRequest("redirect count must be > 0")
    absolute = (
        request.path.startswith("/absolute") or request.query.get("absolute", "").lower() == "true"
    )
    kind = "absolute" if absolute else "relative"
    path = f"/{kind}-redirect/{count - 1}" if count > 1 else "/get"
    if not absolute:
        return _redirect(path)
    return _redirect(echo.url(request).split("://")[0] + f"://{request.host}{path}")


async def redirect_to(request: web.Request) -> web.Response:
    """``/redirect-to?url=…&status_code=307``."""
    location = request.query.get("url", "")
    if not location:
        raise answers.BadRequest("missing required query parameter: url")
    code = request.query.get("status_code")
    return _redirect(location, answers.status_code(code, 300, 399) if code else 302)


def _credentials(request: web.Request) -> tuple[str, str]:
    scheme, _, encoded = request.headers.get("Authorization", "").partition(" ")
    try:
        user, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return (user, password) if scheme.lower() == "basic" else ("", "")


def _expected(request: web.Request) -> tuple[str, str]:
    return request.match_info["user"], request.match_info["password"]


async def basic_auth(request: web.Request) -> web.Response:
    """``/basic-auth/user/password``."""
    given = _credentials(request)
    body: dict[str, Any] = {"authorized": given == _expected(request), "user": given[0]}
    return answers.as_json(body) if body["authorized"] else answers.as_json(body, 401, **REALM)


async def hidden_basic_auth(request: web.Request) -> web.Response:
    """``/hidden-basic-auth/user/password``: 404 instead of 401."""
    if _credentials(request) != _expected(request):
        return answers.error(404)
    return await basic_auth(request)


async def bearer(request: web.Request) -> web.Response:
    """``/bearer``: any bearer token will do."""
    words = request.headers.get("Authorization", "").split()
    if len(words) != 2 or words[0] != "Bearer":
        return answers.error(401, WWW_Authenticate="Bearer")
    return answers.as_json({"authenticated": True, "token": words[1]})


async def cache(request: web.Request) -> web.Response:
    """``/cache``: 304 to a conditional request."""
    if {"If-Modified-Since", "If-None-Match"} & set(request.headers):
        return web.Response(status=304)
    response = await inspecting.get(request)
    response.headers["Last-Modified"] = formatdate(usegmt=True)
    response.headers["ETag"] = hashlib.sha1(response.headers["Last-Modified"].encode()).hexdigest()
    return response


async def cache_control(request: web.Request) -> web.Response:
    """``/cache/N``: may be cached for N seconds."""
    age = answers.integer(request.match_info["seconds"], "invalid seconds")
    response = await inspecting.get(request)
    response.headers["Cache-Control"] = f"public, max-age={age}"
    return response


async def etag(request: web.Request) -> web.Response:
    """``/etag/x`` with If-None-Match and If-Match."""
    tag = f'"{request.match_info["etag"]}"'
    if request.headers.get("If-None-Match") in (tag, "*"):
        return web.Response(status=304, headers={"ETag": tag})
    if request.headers.get("If-Match", tag) not in (tag, "*"):
        return web.Response(status=412, headers={"ETag": tag})
    response = await inspecting.get(request)
    response.headers["ETag"] = tag
    return response


async def base64_path(request: web.Request) -> web.Response:
    """``/base64/<data>`` decodes, ``/base64/encode/<data>`` encodes."""
    operation, data = request.match_info.get("operation", "decode"), request.match_info["data"]
    if operation == "encode":
        return answers.raw(base64.urlsafe_b64encode(data.encode()), answers.TEXT_TYPE)
    if operation != "decode":
        raise answers.BadRequest(f"invalid operation: {operation}")
    try:
        decoded = base64.b64decode(data.replace("-", "+").replace("_", "/"), validate=True)
    except binascii.Error as cause:
        raise answers.BadRequest(f"base64 decode failed: {cause}") from cause
    return answers.raw(decoded, answers.TEXT_TYPE)
