"""``matches`` of HTTPRoute and GRPCRoute rules → ``match`` of VirtualServices; their precedence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from meshcourse.embedded.istio.gateway_api import conditions
from meshcourse.embedded.istio.gateway_api.conditions import Problem, RouteError
from meshcourse.embedded.istio.model import Json


def http(match: Mapping[str, Any]) -> Json:
    """One match of an HTTPRoute."""
    path = match.get("path") or {}
    result: Json = {"uri": _path(path.get("type") or "PathPrefix", path.get("value") or "/")}
    if headers := _conditions(match.get("headers") or []):
        result["headers"] = headers
    if query := _conditions(match.get("queryParams") or []):
        result["queryParams"] = query
    if method := match.get("method"):
        result["method"] = {"exact": method}
    return result


def _path(kind: str, value: str) -> Json:
    if kind == "Exact":
        return {"exact": value}
    if kind == "RegularExpression":
        return {"regex": value}
    return {"prefix": value if value == "/" else value.removesuffix("/")}


def _conditions(found: Sequence[Mapping[str, Any]]) -> Json:
    return {
        str(one.get("name")): {
            "regex" if one.get("type") == "RegularExpression" else "exact": one.get("value") or ""
        }
        for one in found
    }


def grpc(match: Mapping[str, Any]) -> Json:
    """One match of a GRPCRoute.

    :raises RouteError: if it names neither service nor method.
    """
    result: Json = {}
    if method := match.get("method"):
        result["uri"] = _call(method)
    if headers := _conditions(match.get("headers") or []):
        result["headers"] = headers
    return result


def _call(method: Mapping[str, Any]) -> Json:
    """``/service/method``, either of which may be open."""
    service, name = method.get("service"), method.get("method")
    if not service and not name:
        message = "gRPC match must have method or service defined"
        raise RouteError(Problem(conditions.INVALID_CONFIGURATION, message))
    if not service:
        return {"regex": f"/[^/]+/{name}"}
    if method.get("type") == "RegularExpression":
        return {"regex": f"/{service}/{name or '.+'}"}
    return {"exact": f"/{service}/{name}"} if name else {"prefix": f"/{service}/"}


_RANKS = {"exact": 3, "prefix": 2, "regex": 1}


def precedence(route: Mapping[str, Any]) -> tuple[int, ...]:
    """Sort key of a route with at most one match: the Gateway API's order of rules.

    Exact paths before prefixes before expressions, long before short, with a method before
    without, many header conditions before few, then query parameters; without a match last.
    """
    if not route.get("match"):
        return (1,)
    match = route["match"][0]
    kind, value = next(iter((match.get("uri") or {}).items()), ("", ""))
    return (
        0,
        -_RANKS.get(kind, -1),
        -len(value),
        0 if match.get("method") else 1,
        -len(match.get("headers") or {}),
        -len(match.get("queryParams") or {}),
    )
