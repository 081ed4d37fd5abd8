"""The JSON of ``/api/v3``: OTLP's JSON mapping below ``result``. Source: jaegertracing.io, "APIs" (api_v3, OTLP)."""

from __future__ import annotations

from typing import Any

from meshcourse.embedded.addons.jaeger.spans import Span, TagValue

Json = dict[str, Any]
_KINDS = {"internal": 1, "server": 2, "client": 3, "producer": 4, "consumer": 5}


def result(traces: list[list[Span]]) -> Json:
    """``{"result": {"resourceSpans": […]}}`` with one entry per resource of every trace."""
    resources = []
    for spans in traces:
        by_resource: dict[tuple[str, tuple[tuple[str, TagValue], ...]], list[Span]] = {}
        for span in spans:
            by_resource.setdefault((span.service, span.process), []).append(span)
        resources += [_resource(*key, found) for key, found in by_resource.items()]
    return {"result": {"resourceSpans": resources}}


def _resource(service: str, process: tuple[tuple[str, TagValue], ...], spans: list[Span]) -> Json:
    attributes = [_attribute("service.name", service), *(_attribute(*pair) for pair in process)]
    return {
        "resource": {"attributes": attributes},
        "scopeSpans": [{"scope": {}, "spans": [_span(span) for span in spans]}],
    }


def _span(span: Span) -> Json:
    return {
        "traceId": span.trace_id,
        "spanId": span.span_id,
        "parentSpanId": span.parent_id,
        "name": span.name,
        "kind": _KINDS.get(span.kind, 0),
        "startTimeUnixNano": str(span.start * 1000),
        "endTimeUnixNano": str((span.start + span.duration) * 1000),
        "attributes": [_attribute(key, value) for key, value in span.tags.items()],
        "events": [{"timeUnixNano": str(at * 1000), "name": text} for at, text in span.logs],
        "status": {"code": 2} if span.failed else {},
    }


def _attribute(key: str, value: TagValue) -> Json:
    if isinstance(value, bool):
        return {"key": key, "value": {"boolValue": value}}
    if isinstance(value, int):
        return {"key": key, "value": {"intValue": str(value)}}
    if isinstance(value, float):
        return {"key": key, "value": {"doubleValue": value}}
    return {"key": key, "value": {"stringValue": value}}
