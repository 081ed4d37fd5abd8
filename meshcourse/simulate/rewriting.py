"""What a route makes of a request on its way: path, host, headers; and where a redirect leads.

Source: Envoy's API reference of RouteAction, RedirectAction, HeaderValueOption. Header values that are computed
(``%…%``) are left out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from meshcourse.simulate.outcome import Request

Json = Mapping[str, Any]

_OVERWRITE: Final = "OVERWRITE_IF_EXISTS_OR_ADD"
_STATUS: Final = {
    "MOVED_PERMANENTLY": 301,
    "FOUND": 302,
    "SEE_OTHER": 303,
    "TEMPORARY_REDIRECT": 307,
    "PERMANENT_REDIRECT": 308,
}


def forwarded(route: Json, request: Request, destination: Json | None = None) -> Request:
    """The request as it leaves by a route.

    :param destination: the weighted cluster that was chosen, whose headers come first.
    """
    action = route.get("route") or {}
    host = action.get("host_rewrite_literal") or (destination or {}).get("host_rewrite_literal")
    headers = dict(request.headers)
    for level in (destination or {}, route):
        headers = changed(headers, level, "request")
    return replace(
        request,
        path=path(route, request.path),
        authority=str(host or request.authority),
        headers=headers,
    )


def path(route: Json, text: str) -> str:
    """The path after a rewrite; the query stays."""
    action, match = route.get("route") or {}, route.get("match") or {}
    plain, mark, query = text.partition("?")
    if regex := action.get("regex_rewrite"):
        pattern = (regex.get("pattern") or {}).get("regex") or ""
        plain = re.sub(pattern, regex.get("substitution") or "", plain)
    elif rewrite := action.get("prefix_rewrite"):
        plain = rewrite + plain[len(matched(match, plain)) :]
    return f"{plain}{mark}{query}"


def matched(match: Json, plain: str) -> str:
    """The part of a path that a rewrite of the prefix replaces: the prefix, else all of it."""
    if "prefix" in match:
        return plain[: len(match["prefix"])]
    if "path_separated_prefix" in match:
        return plain[: len(match["path_separated_prefix"])]
    return plain


def changed(headers: Mapping[str, str], level: Json, direction: str) -> dict[str, str]:
    """Headers after the operations of a route or destination.

    :param direction: ``request`` or ``response``.
    """
    result = {key.lower(): value for key, value in headers.items()}
    for name in level.get(f"{direction}_headers_to_remove") or ():
        result.pop(str(name).lower(), None)
    for option in _options(level, direction):
        name, value = str(option["header"]["key"]).lower(), str(option["header"].get("value") or "")
        if "%" in value.replace("%%", ""):
            continue
        value = value.replace("%%", "%")
        known = None if option.get("append_action") == _OVERWRITE else result.get(name)
        result[name] = value if known is None else f"{known},{value}"
    return result


def _options(level: Json, direction: str) -> Sequence[Json]:
    return level.get(f"{direction}_headers_to_add") or ()


def status(redirect: Json) -> int:
    """The status of a redirect."""
    return _STATUS[redirect.get("response_code") or "MOVED_PERMANENTLY"]


def location(route: Json, request: Request) -> str:
    """Where a redirect leads."""
    redirect = route["redirect"]
    scheme = "https" if redirect.get("https_redirect") else redirect.get("scheme_redirect")
    scheme = scheme or request.scheme
    host, colon, port = request.authority.rpartition(":")
    if not colon:
        host, port = request.authority, ""
    if redirect.get("host_redirect"):
        host, port = redirect["host_redirect"], ""
    elif scheme != request.scheme and port in ("80", "443"):
        port = ""
    port = str(redirect.get("port_redirect") or port)
    where = f"{host}:{port}" if port else host
    return f"{scheme}://{where}{_redirected_path(redirect, route.get('match') or {}, request.path)}"


def _redirected_path(redirect: Json, match: Json, text: str) -> str:
    plain, mark, query = text.partition("?")
    rest = "" if redirect.get("strip_query") else f"{mark}{query}"
    if full := redirect.get("path_redirect"):
        return str(full) if "?" in full else f"{full}{rest}"
    if (prefix := redirect.get("prefix_rewrite")) is not None:
        return f"{prefix}{plain[len(matched(match, plain)) :]}{rest}"
    return f"{plain}{rest}"
