"""What httpbin says about the request it got: headers, origin, URL, arguments and body."""

from __future__ import annotations

import base64
import email
import email.message
import json
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web
from multidict import MultiMapping

from meshcourse.embedded.images.httpbin import answers

Values = dict[str, list[str]]


def canonical(name: str) -> str:
    """A header's name as Go's net/http writes it: ``x-b3-traceid`` → ``X-B3-Traceid``."""
    return "-".join(part[:1].upper() + part[1:].lower() for part in name.split("-"))


def _values(pairs: MultiMapping[str]) -> Values:
    found: Values = {}
    for name, value in pairs.items():
        found.setdefault(name, []).append(value)
    return dict(sorted(found.items()))


def headers(request: web.Request) -> Values:
    """Every request header with its values, sorted by name; Host among them."""
    found: Values = {}
    for name, value in request.headers.items():
        found.setdefault(canonical(name), []).append(value)
    return dict(sorted(found.items()))


def origin(request: web.Request) -> str:
    """The caller: first of X-Forwarded-For, else the peer's address and port."""
    forwarded = request.headers.get("X-Forwarded-For", "")
    if forwarded:
        return forwarded.split(",")[0].strip()
    peer = request.transport.get_extra_info("peername") if request.transport else None
    return f"{peer[0]}:{peer[1]}" if peer else ""


def url(request: web.Request) -> str:
    """The URL as the caller wrote it, with the scheme that a proxy in front reports."""
    scheme = request.headers.get("X-Forwarded-Proto") or request.scheme
    return f"{scheme}://{request.host}{request.path_qs}"


def args(request: web.Request) -> Values:
    """The query's values by name."""
    return _values(request.query)


def without_body(request: web.Request) -> dict[str, Any]:
    """The answer to a request that has no body."""
    return {
        "args": args(request),
        "headers": headers(request),
        "method": request.method,
        "origin": origin(request),
        "url": url(request),
    }


async def with_body(request: web.Request) -> dict[str, Any]:
    """The answer to a request that may have a body: raw `data`, and what `form`, `files` or `json` it parses to.

    :raises answers.BadRequest: if the body is not what its content type says.
    """
    body = await request.read()
    parsed: dict[str, Any] = {"data": "", "files": {}, "form": {}, "json": None}
    if body:
        parsed |= _parse(request, body)
    return without_body(request) | parsed


def _parse(request: web.Request, body: bytes) -> dict[str, Any]:
    kind = request.headers.get("Content-Type", "").partition(";")[0].strip()
    text = body.decode("utf-8", errors="replace")
    if kind in ("text/html", "text/plain"):
        return {"data": text}
    if kind == "application/x-www-form-urlencoded":
        return {"data": text, "form": _form(text)}
    if kind == "multipart/form-data":
        return {"data": text} | _multipart(request.headers["Content-Type"], body)
    if kind == "application/json":
        return {"data": text, "json": _json(text)}
    encoded = base64.urlsafe_b64encode(body).decode()
    return {"data": f"data:{kind or answers.BINARY_TYPE};base64,{encoded}"}


def _form(text: str) -> Values:
    found: Values = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        found.setdefault(name, []).append(value)
    return dict(sorted(found.items()))


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as cause:
        raise answers.BadRequest(f"error parsing request body: {cause}") from cause


def _multipart(content_type: str, body: bytes) -> dict[str, Any]:
    message = email.message_from_bytes(f"Content-Type: {content_type}\r\n\r\n".encode() + body)
    if not message.is_multipart():
        raise answers.BadRequest(
            "error parsing request body: no multipart boundary param in Content-Type"
        )
    form: Values = {}
    files: Values = {}
    for part in message.get_payload():
        assert isinstance(part, email.message.Message)
        name = str(part.get_param("name", "", header="content-disposition"))
        content = part.get_payload(decode=True)
        text = content.decode("utf-8", errors="replace") if isinstance(content, bytes) else ""
        (form if part.get_filename() is None else files).setdefault(name, []).append(text)
    return {"form": form, "files": files}
