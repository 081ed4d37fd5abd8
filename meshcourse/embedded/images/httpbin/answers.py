"""How httpbin writes: JSON as Go's encoder indents it, errors, and the parsers whose complaints go into them. Pure."""

from __future__ import annotations

import json
import re
from http import HTTPStatus
from typing import Any

from aiohttp import web

JSON_TYPE = "application/json; charset=utf-8"
TEXT_TYPE = "text/plain; charset=utf-8"
HTML_TYPE = "text/html; charset=utf-8"
BINARY_TYPE = "application/octet-stream"

_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION = re.compile(r"(?:[0-9]*\.?[0-9]+(?:ns|us|µs|ms|s|m|h))+")
_PART = re.compile(r"([0-9]*\.?[0-9]+)(ns|us|µs|ms|s|m|h)")


class BadRequest(Exception):
    """What the caller gets as 400 with its text as `detail`."""


def text_of(value: Any) -> str:
    """JSON with two spaces and a final newline, keys in the order given."""
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def as_json(value: Any, status: int = 200, **headers: str) -> web.Response:
    """A JSON answer."""
    return raw(text_of(value), JSON_TYPE, status, **headers)


def raw(body: str | bytes, content_type: str, status: int = 200, **headers: str) -> web.Response:
    """An answer with a content type of its own; underscores in header names become dashes."""
    data = body.encode() if isinstance(body, str) else body
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return web.Response(body=data, status=status, headers={"Content-Type": content_type} | named)


def error(status: int, detail: str = "", **headers: str) -> web.Response:
    """The error shape: ``status_code``, ``error`` and, if there is something to say, ``detail``."""
    body: dict[str, Any] = {"status_code": status, "error": HTTPStatus(status).phrase}
    if detail:
        body["detail"] = detail
    return as_json(body, status, **headers)


def integer(text: str, what: str) -> int:
    """A whole number, or Go's complaint about it.

    :raises BadRequest: if it is none.
    """
    if not re.fullmatch(r"[+-]?[0-9]+", text):
        raise BadRequest(f"{what}: strconv.Atoi: parsing {json.dumps(text)}: invalid syntax")
    return int(text)


def number(text: str, what: str) -> float:
    """A floating-point number, or Go's complaint about it.

    :raises BadRequest: if it is none.
    """
    try:
        return float(text)
    except ValueError as cause:
        raise BadRequest(
            f"{what}: strconv.ParseFloat: parsing {json.dumps(text)}: invalid syntax"
        ) from cause


def seconds(text: str, what: str, most: float, least: float = 0.0) -> float:
    """Seconds from a Go duration (``1.5s``, ``200ms``) or a plain number.

    :raises BadRequest: if it is neither, or out of bounds.
    """
    if _DURATION.fullmatch(text):
        value = sum(float(count) * _UNITS[unit] for count, unit in _PART.findall(text))
    else:
        value = number(text, what)
    if value > most:
        raise BadRequest(f"{what}: duration {_go(value)} longer than {_go(most)}")
    if value < least:
        raise BadRequest(f"{what}: duration {_go(value)} shorter than {_go(least)}")
    return value


def _go(value: float) -> str:
    """A duration as Go prints it, for the range that matters here."""
    if value >= 60:
        return f"{int(value // 60)}m{value % 60:g}s"
    return f"{value:g}s" if value >= 1 or value <= 0 else f"{value * 1000:g}ms"


def status_code(text: str, least: int = 100, most: int = 599) -> int:
    """A status code within bounds.

    :raises BadRequest: if it is none.
    """
    code = integer(text, f"invalid status code: {json.dumps(text)}")
    if not least <= code <= most:
        raise BadRequest(f"invalid status code: {code} not in range [{least}, {most}]")
    return code


def timing(**seconds_of: float) -> str:
    """A Server-Timing header."""
    return ", ".join(
        f'{name};dur={value * 1000:.2f};desc="{name.replace("_", " ")}"'
        for name, value in seconds_of.items()
    )
