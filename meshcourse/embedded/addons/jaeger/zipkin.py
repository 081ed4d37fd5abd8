"""Zipkin v2 JSON → spans. Source: zipkin.io API v2 (``POST /api/v2/spans``)."""

from __future__ import annotations

import sys
from typing import Any, cast

from meshcourse.embedded.addons.jaeger.spans import Kind, MalformedSpan, Span, hex_id, intern_tags

_KINDS = {"CLIENT": "client", "SERVER": "server", "PRODUCER": "producer", "CONSUMER": "consumer"}


def decode(body: Any) -> list[Span]:
    """All spans of a request body.

    :raises MalformedSpan: if it is not a list of spans; nothing of it is to be stored then.
    """
    if not isinstance(body, list):
        raise MalformedSpan("expected a list of spans")
    return [_span(each) for each in body]


def _span(raw: Any) -> Span:
    if not isinstance(raw, dict):
        raise MalformedSpan("a span must be an object")
    endpoint = raw.get("localEndpoint") or {}
    parent = raw.get("parentId")
    process = {key: str(endpoint[key]) for key in ("ipv4", "ipv6", "port") if endpoint.get(key)}
    return Span(
        trace_id=hex_id(raw.get("traceId"), 32, "traceId"),
        span_id=hex_id(raw.get("id"), 16, "id"),
        parent_id=hex_id(parent, 16, "parentId") if parent else "",
        name=sys.intern(str(raw.get("name") or "")),
        service=sys.intern(str(endpoint.get("serviceName") or "unknown")),
        kind=cast(Kind, _KINDS.get(str(raw.get("kind") or ""), "")),
        start=_microseconds(raw, "timestamp"),
        duration=_microseconds(raw, "duration"),
        tags=intern_tags({str(key): str(value) for key, value in (raw.get("tags") or {}).items()}),
        logs=tuple((int(a["timestamp"]), str(a["value"])) for a in raw.get("annotations") or ()),
        process=tuple(sorted(process.items())),
    )


def _microseconds(raw: dict[str, Any], name: str) -> int:
    value = raw.get(name, 0)
    if not isinstance(value, int | float) or value < 0:
        raise MalformedSpan(f"{name} is not a number of microseconds: {value!r}")
    return int(value)
