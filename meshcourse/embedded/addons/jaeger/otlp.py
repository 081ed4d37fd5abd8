"""OTLP → spans. Source: opentelemetry.io, OTLP specification (trace service, HTTP and gRPC carry the same message)."""

from __future__ import annotations

import sys
from typing import Any, cast

from meshcourse.embedded.addons.jaeger.spans import Kind, Span, TagValue, hex_id, intern_tags

_KINDS = {1: "internal", 2: "server", 3: "client", 4: "producer", 5: "consumer"}
_ERROR = 2


def parse(data: bytes, *, as_json: bool) -> list[Span]:
    """The spans of an ``ExportTraceServiceRequest``.

    :raises ValueError: if the bytes are no such message.
    """
    from google.protobuf import json_format
    from opentelemetry.proto.collector.trace.v1 import trace_service_pb2

    message = trace_service_pb2.ExportTraceServiceRequest()
    try:
        if as_json:
            json_format.Parse(_for_protobuf(data), message, ignore_unknown_fields=True)
        else:
            message.ParseFromString(data)
    except Exception as error:  # protobuf raises several unrelated types
        raise ValueError(f"not an ExportTraceServiceRequest: {error}") from error
    return decode(message)


def _for_protobuf(data: bytes) -> bytes:
    """OTLP/JSON writes ids as hex where protobuf's JSON expects base64, and has one field under its new name."""
    import base64

    import orjson
    from opentelemetry.proto.trace.v1 import trace_pb2

    scopes = scopes_field(trace_pb2.ResourceSpans)

    def fix(value: Any) -> Any:
        if isinstance(value, list):
            return [fix(each) for each in value]
        if not isinstance(value, dict):
            return value
        fixed = {scopes if key == "scopeSpans" else key: fix(each) for key, each in value.items()}
        for key in ("traceId", "spanId", "parentSpanId"):
            if isinstance(fixed.get(key), str):
                fixed[key] = base64.b64encode(bytes.fromhex(fixed[key])).decode()
        return fixed

    return orjson.dumps(fix(orjson.loads(data)))


def decode(message: Any) -> list[Span]:
    """The spans of a parsed message. :raises MalformedSpan: for an id that is none."""
    found = []
    for resource_spans in message.resource_spans:
        resource = _attributes(resource_spans.resource.attributes)
        service = sys.intern(str(resource.pop("service.name", "unknown")))
        process = tuple(sorted(resource.items()))
        for scope in getattr(resource_spans, scopes_field(resource_spans)):
            found += [_span(raw, service, process) for raw in scope.spans]
    return found


def scopes_field(resource_spans: Any) -> str:
    """Field 2 of ResourceSpans: ``scope_spans`` today, under its first name in the messages that xds-protos brings."""
    found = resource_spans.DESCRIPTOR.fields_by_number[2].name
    return str(found)


def _span(raw: Any, service: str, process: tuple[tuple[str, TagValue], ...]) -> Span:
    tags = _attributes(raw.attributes)
    if raw.status.code == _ERROR:
        tags["error"] = True
    return Span(
        trace_id=hex_id(raw.trace_id.hex(), 32, "traceId"),
        span_id=hex_id(raw.span_id.hex(), 16, "spanId"),
        parent_id=hex_id(raw.parent_span_id.hex(), 16, "parentSpanId")
        if raw.parent_span_id
        else "",
        name=sys.intern(raw.name),
        service=service,
        kind=cast(Kind, _KINDS.get(raw.kind, "")),
        start=raw.start_time_unix_nano // 1000,
        duration=max(0, raw.end_time_unix_nano - raw.start_time_unix_nano) // 1000,
        tags=intern_tags(tags),
        logs=tuple((event.time_unix_nano // 1000, event.name) for event in raw.events),
        process=process,
    )


def _attributes(pairs: Any) -> dict[str, TagValue]:
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: Any) -> TagValue:
    kind = value.WhichOneof("value")
    if kind in ("string_value", "bool_value", "int_value", "double_value"):
        return cast(TagValue, getattr(value, kind))
    return str(value).strip()
