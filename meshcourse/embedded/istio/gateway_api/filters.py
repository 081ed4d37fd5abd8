"""``filters`` of HTTPRoute and GRPCRoute rules → fields of a VirtualService's HTTP route."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from meshcourse.embedded.istio.gateway_api import conditions
from meshcourse.embedded.istio.gateway_api.backends import Backends
from meshcourse.embedded.istio.gateway_api.conditions import Problem, RouteError
from meshcourse.embedded.istio.model import Json

#: Origins as browsers send them.
_ANY_ORIGIN: Final = r"^[a-zA-Z][a-zA-Z0-9+.-]*://[^/\s?#]+$"
_MODIFIERS: Final = {
    "RequestHeaderModifier": ("requestHeaderModifier", "request"),
    "ResponseHeaderModifier": ("responseHeaderModifier", "response"),
}
_HTTP_ONLY: Final = frozenset(("RequestRedirect", "URLRewrite", "CORS"))


def of_rule(
    found: Sequence[Mapping[str, Any]], backends: Backends, *, grpc: bool = False
) -> tuple[Json, Problem | None]:
    """Fields of the route, and what is wrong with a mirror's backend.

    :raises RouteError: for filters that are not supported, or cannot be.
    """
    result: Json = {}
    problem: Problem | None = None
    for one in found:
        kind = one.get("type")
        if kind in _MODIFIERS:
            _modify(result, one)
        elif kind == "RequestMirror":
            problem = (
                _mirror(result, one.get("requestMirror") or {}, backends, grpc=grpc) or problem
            )
        elif kind in _HTTP_ONLY and not grpc:
            result |= _http(one)
        else:
            raise _unsupported(kind)
    return result, problem


def of_backend(found: Sequence[Mapping[str, Any]]) -> Json:
    """Fields of a destination: only headers can be changed there."""
    result: Json = {}
    for one in found:
        if one.get("type") not in _MODIFIERS:
            raise _unsupported(one.get("type"))
        _modify(result, one)
    return result


def _unsupported(kind: object) -> RouteError:
    return RouteError(Problem(conditions.INVALID_FILTER, f'unsupported filter type "{kind}"'))


def _modify(result: Json, one: Mapping[str, Any]) -> None:
    field, direction = _MODIFIERS[one["type"]]
    setting = one.get(field) or {}
    for header in [*(setting.get("set") or []), *(setting.get("add") or [])]:
        if not _printable(str(header.get("value") or "")):
            message = f'header "{header.get("name")}" value contains invalid characters'
            raise RouteError(Problem(conditions.INVALID_FILTER, message))
    operations = {
        "add": _pairs(setting.get("add")),
        "set": _pairs(setting.get("set")),
        "remove": list(setting.get("remove") or []),
    }
    headers = result.setdefault("headers", {})
    headers[direction] = {key: value for key, value in operations.items() if value}


def _printable(value: str) -> bool:
    return all(char == "\t" or (char >= " " and char != "\x7f") for char in value)


def _pairs(found: Sequence[Mapping[str, Any]] | None) -> dict[str, str]:
    """Of several entries for one name the first counts."""
    result: dict[str, str] = {}
    for one in found or []:
        result.setdefault(str(one.get("name")).lower(), str(one.get("value") or ""))
    return result


def _mirror(
    result: Json, setting: Mapping[str, Any], backends: Backends, *, grpc: bool
) -> Problem | None:
    destination, problem = backends.destination(setting.get("backendRef") or {})
    if problem is not None:
        if grpc:
            raise RouteError(problem)
        return problem
    mirror: Json = {"destination": destination}
    if fraction := setting.get("fraction"):
        share = 100 * fraction.get("numerator", 0) / (fraction.get("denominator") or 100)
        mirror["percentage"] = {"value": share}
    elif setting.get("percent") is not None:
        mirror["percentage"] = {"value": float(setting["percent"])}
    result.setdefault("mirrors", []).append(mirror)
    return None


def _http(one: Mapping[str, Any]) -> Json:
    if one["type"] == "RequestRedirect":
        return {"redirect": _redirect(one.get("requestRedirect") or {})}
    if one["type"] == "CORS":
        return {"corsPolicy": _cors(one.get("cors") or {})}
    rewrite = _rewrite(one.get("urlRewrite") or {})
    return {"rewrite": rewrite} if rewrite else {}


def _redirect(setting: Mapping[str, Any]) -> Json:
    result: Json = {}
    if code := setting.get("statusCode"):
        result["redirectCode"] = code
    if host := setting.get("hostname"):
        result["authority"] = host
    if scheme := setting.get("scheme"):
        result["scheme"] = scheme
    if port := setting.get("port"):
        result["port"] = port
    else:
        derived = "FROM_PROTOCOL_DEFAULT" if setting.get("scheme") else "FROM_REQUEST_PORT"
        result["derivePort"] = derived
    path = setting.get("path") or {}
    if path.get("type") == "ReplaceFullPath":
        result["uri"] = path.get("replaceFullPath") or ""
    elif path.get("type") == "ReplacePrefixMatch":
        result["uri"] = f"%PREFIX()%{path.get('replacePrefixMatch') or ''}"
    return result


def _rewrite(setting: Mapping[str, Any]) -> Json:
    result: Json = {}
    path = setting.get("path") or {}
    if path.get("type") == "ReplacePrefixMatch":
        result["uri"] = (path.get("replacePrefixMatch") or "").removesuffix("/") or "/"
    elif path.get("type") == "ReplaceFullPath":
        result["uriRegexRewrite"] = {"match": "/.*", "rewrite": path.get("replaceFullPath") or ""}
    if host := setting.get("hostname"):
        result["authority"] = host
    return result


def _cors(setting: Mapping[str, Any]) -> Json:
    result: Json = {
        "allowOrigins": [_origin(one) for one in setting.get("allowOrigins") or [] if one]
    }
    if setting.get("allowCredentials"):
        result["allowCredentials"] = True
    for field in ("allowMethods", "allowHeaders", "exposeHeaders"):
        if setting.get(field):
            result[field] = list(setting[field])
    if setting.get("maxAge"):
        result["maxAge"] = f"{setting['maxAge']}s"
    result["unmatchedPreflights"] = "IGNORE"
    return result


def _origin(text: str) -> Json:
    if text == "*":
        return {"regex": _ANY_ORIGIN}
    if "*" not in text:
        return {"exact": text}
    if text.count("*") == 1 and text.endswith("*"):
        return {"prefix": text.removesuffix("*")}
    parts = (re.sub(r"([\\.+?()|\[\]{}^$])", r"\\\1", one) for one in text.split("*"))
    return {"regex": f"^{'.*'.join(parts)}$"}
