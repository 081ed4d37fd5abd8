"""The JSON of Jaeger's older query API (``/api/services``, ``/api/traces`` …).

Source: jaegertracing.io and the shapes in Jaeger 1.x and 2.14–2.20: ids without leading zero removal, times in
microseconds, processes factored out per trace.
"""

from __future__ import annotations

from typing import Any

from meshcourse.embedded.addons.jaeger.spans import Span, TagValue

Json = dict[str, Any]


def envelope(data: Any, *, total: int | None = None, errors: list[Json] | None = None) -> Json:
    """``{data, total, limit, offset, errors}``."""
    count = total if total is not None else len(data) if isinstance(data, list) else 0
    return {"data": data, "total": count, "limit": 0, "offset": 0, "errors": errors}


def error(code: int, message: str) -> Json:
    return envelope(None, errors=[{"code": code, "msg": message}])


def trace(spans: list[Span]) -> Json:
    """One trace with its processes."""
    processes: dict[tuple[str, tuple[tuple[str, TagValue], ...]], str] = {}
    rows = []
    for span in spans:
        process = processes.setdefault((span.service, span.process), f"p{len(processes) + 1}")
        rows.append(_span(span, process))
    described = {
        name: {"serviceName": service, "tags": [tag(key, value) for key, value in tags]}
        for (service, tags), name in processes.items()
    }
    return {"traceID": spans[0].trace_id, "spans": rows, "processes": described, "warnings": None}


def _span(span: Span, process: str) -> Json:
    reference = {"refType": "CHILD_OF", "traceID": span.trace_id, "spanID": span.parent_id}
    kind = [tag("span.kind", span.kind)] if span.kind else []
    return {
        "traceID": span.trace_id,
        "spanID": span.span_id,
        "operationName": span.name,
        "references": [reference] if span.parent_id else [],
        "startTime": span.start,
        "duration": span.duration,
        "tags": [tag(key, value) for key, value in span.tags.items()] + kind,
        "logs": [{"timestamp": at, "fields": [tag("event", text)]} for at, text in span.logs],
        "processID": process,
        "warnings": None,
    }


def tag(key: str, value: TagValue) -> Json:
    """``{key, type, value}``."""
    kinds = {bool: "bool", int: "int64", float: "float64"}
    return {"key": key, "type": kinds.get(type(value), "string"), "value": value}
