"""Fault injection and CORS, which Envoy reads from ``typed_per_filter_config`` of a route."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from meshcourse.embedded.istio import durations
from meshcourse.embedded.istio.build import filters, proto, route_match
from meshcourse.embedded.istio.model import Json

#: gRPC status names and numbers (grpc.io, "Status codes").
GRPC_STATUS: Final = {
    name: number
    for number, name in enumerate(
        (
            "OK",
            "CANCELLED",
            "UNKNOWN",
            "INVALID_ARGUMENT",
            "DEADLINE_EXCEEDED",
            "NOT_FOUND",
            "ALREADY_EXISTS",
            "PERMISSION_DENIED",
            "RESOURCE_EXHAUSTED",
            "FAILED_PRECONDITION",
            "ABORTED",
            "OUT_OF_RANGE",
            "UNIMPLEMENTED",
            "INTERNAL",
            "UNAVAILABLE",
            "DATA_LOSS",
            "UNAUTHENTICATED",
        )
    )
}


def per_filter(route: Mapping[str, Any]) -> Json:
    """The per-filter configuration of an HTTP route."""
    result: Json = {}
    if found := fault(route.get("fault")):
        result[filters.FAULT] = found
    if route.get("corsPolicy") is not None:
        result[filters.CORS] = cors(route["corsPolicy"])
    return result


def fault(setting: Mapping[str, Any] | None) -> Json | None:
    """HTTPFault; None without a delay or abort. A missing percentage means never (abort) or
    ``percent`` (delay).
    """
    fields = proto.compact(
        delay=_delay((setting or {}).get("delay")), abort=_abort((setting or {}).get("abort"))
    )
    return proto.typed("extensions.filters.http.fault.v3.HTTPFault", **fields) if fields else None


def _share(setting: Mapping[str, Any]) -> Json:
    percentage = setting.get("percentage")
    if percentage is not None:
        return proto.percent(float(percentage.get("value") or 0))
    return proto.percent(float(setting.get("percent") or 0))


def _delay(setting: Mapping[str, Any] | None) -> Json | None:
    if not setting or not setting.get("fixedDelay"):
        return None
    return {
        "fixed_delay": durations.proto(setting["fixedDelay"]),
        "percentage": _share(setting),
    }


def _abort(setting: Mapping[str, Any] | None) -> Json | None:
    if not setting:
        return None
    if setting.get("grpcStatus"):
        kind = {"grpc_status": GRPC_STATUS.get(setting["grpcStatus"], 2)}
    elif setting.get("httpStatus"):
        kind = {"http_status": int(setting["httpStatus"])}
    else:
        return None
    if setting.get("percentage") is None:
        return kind
    return {**kind, "percentage": _share(setting)}


def cors(policy: Mapping[str, Any]) -> Json:
    """CorsPolicy."""
    fields = proto.compact(
        allow_origin_string_match=_origins(policy),
        allow_methods=",".join(policy.get("allowMethods") or []),
        allow_headers=",".join(policy.get("allowHeaders") or []),
        expose_headers=",".join(policy.get("exposeHeaders") or []),
        max_age=_max_age(policy),
        allow_credentials=policy.get("allowCredentials"),
    )
    ignore = policy.get("unmatchedPreflights") == "IGNORE"
    return proto.typed(
        "extensions.filters.http.cors.v3.CorsPolicy",
        **fields,
        filter_enabled=proto.runtime_percent(100),
        forward_not_matching_preflights=not ignore,
    )


def _origins(policy: Mapping[str, Any]) -> list[Json]:
    if policy.get("allowOrigins"):
        return [route_match.string_match(one) for one in policy["allowOrigins"]]
    return [{"exact": one} for one in policy.get("allowOrigin") or []]


def _max_age(policy: Mapping[str, Any]) -> str:
    return str(int(durations.seconds(policy["maxAge"]))) if policy.get("maxAge") else ""
