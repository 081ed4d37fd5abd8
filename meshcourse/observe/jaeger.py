"""A client of Jaeger's query APIs, real or stand-in: ``/api/v3`` first, the older API where that is not served.

Source: jaegertracing.io, "APIs"; OpenTelemetry's OTLP/JSON for the answers of ``/api/v3``.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from meshcourse.observe import web
from meshcourse.observe.web import NotServed


@dataclass(frozen=True, slots=True)
class Span:
    """One unit of work.

    :param start: seconds since the epoch. :param duration: seconds.
    """

    id: str
    parent: str
    name: str
    service: str
    start: float
    duration: float
    tags: dict[str, str] = field(default_factory=dict)

    @property
    def failed(self) -> bool:
        return self.tags.get("error", "").lower() == "true"


@dataclass(frozen=True)
class Trace:
    """The spans of one request, in order of their start."""

    id: str
    spans: tuple[Span, ...]

    @property
    def services(self) -> list[str]:
        """In order of first appearance."""
        return list(dict.fromkeys(span.service for span in self.spans))

    @property
    def duration(self) -> float:
        """From the first start to the last end, in seconds."""
        return max(span.start + span.duration for span in self.spans) - self.start

    @property
    def start(self) -> float:
        return min(span.start for span in self.spans)

    @property
    def roots(self) -> list[Span]:
        """Spans without a parent in this trace; more than one means that the trace was broken."""
        known = {span.id for span in self.spans}
        return [span for span in self.spans if span.parent not in known]

    def tree(self) -> Iterator[tuple[Span, int]]:
        """Every span with its depth, children below their parent."""

        def below(span: Span, depth: int) -> Iterator[tuple[Span, int]]:
            yield span, depth
            for child in self.spans:
                if child.parent == span.id and child is not span:
                    yield from below(child, depth + 1)

        for root in self.roots:
            yield from below(root, 0)

    def __len__(self) -> int:
        return len(self.spans)

    def __repr__(self) -> str:
        lines = [f"trace {self.id}: {len(self)} spans, {self.duration * 1000:.1f} ms"]
        for span, depth in self.tree():
            mark = "  FAILED" if span.failed else ""
            lines.append(
                f"  {'  ' * depth}{span.service}: {span.name}  {span.duration * 1000:.1f} ms{mark}"
            )
        return "\n".join(lines)


class Jaeger:
    """One Jaeger.

    :param base: its URL with its path prefix, looked up again for each question.
    """

    def __init__(self, base: Callable[[], str]) -> None:
        self._base = base

    def services(self) -> list[str]:
        """Services that have sent spans, sorted."""
        try:
            found = self._ask("/api/v3/services", {})["services"]
        except NotServed:
            found = self._ask("/api/services", {})["data"]
        return sorted(found or [])

    def trace(self, trace_id: str) -> Trace | None:
        """A trace by its id; None if it is not known (yet)."""
        try:
            return _one(_from_otlp(self._ask(f"/api/v3/traces/{trace_id}", {})))
        except NotServed:
            pass  # no such trace, or no such API
        try:
            return _one(_from_classic(self._ask(f"/api/traces/{trace_id}", {})))
        except NotServed:
            return None

    def traces(self, service: str, *, minutes: float = 10.0, limit: int = 20) -> list[Trace]:
        """The newest traces with a span of `service`, newest first."""
        end = dt.datetime.now(dt.UTC)
        start = end - dt.timedelta(minutes=minutes)
        try:
            found = self._search_v3(service, start, end, limit)
        except NotServed:
            window = {"start": _micro(start), "end": _micro(end), "limit": str(limit)}
            found = _from_classic(self._ask("/api/traces", {"service": service, **window}))
        return sorted(found, key=lambda trace: trace.start, reverse=True)

    def _search_v3(
        self, service: str, start: dt.datetime, end: dt.datetime, limit: int
    ) -> list[Trace]:
        query = {
            "query.service_name": service,
            "query.start_time_min": start.isoformat(),
            "query.start_time_max": end.isoformat(),
            "query.num_traces": str(limit),
        }
        return _from_otlp(self._ask("/api/v3/traces", query))

    def _ask(self, path: str, params: dict[str, str]) -> Any:
        return web.get("Jaeger", f"{self._base()}{path}", params)


def _micro(when: dt.datetime) -> str:
    return str(round(when.timestamp() * 1e6))


def _one(traces: list[Trace]) -> Trace | None:
    return traces[0] if traces else None


def _grouped(spans: list[tuple[str, Span]]) -> list[Trace]:
    by_trace: dict[str, list[Span]] = {}
    for trace_id, span in spans:
        by_trace.setdefault(trace_id, []).append(span)
    return [
        Trace(trace_id, tuple(sorted(found, key=lambda span: (span.start, -span.duration))))
        for trace_id, found in by_trace.items()
    ]


def _from_otlp(answer: Any) -> list[Trace]:
    spans = []
    for resource in answer.get("result", {}).get("resourceSpans", []):
        attributes = _attributes(resource["resource"].get("attributes", []))
        service = attributes.get("service.name", "unknown")
        for scope in resource.get("scopeSpans", []):
            spans += [(raw["traceId"], _otlp_span(raw, service)) for raw in scope.get("spans", [])]
    return _grouped(spans)


def _otlp_span(raw: Any, service: str) -> Span:
    tags = _attributes(raw.get("attributes", []))
    if raw.get("status", {}).get("code") in (2, "STATUS_CODE_ERROR"):
        tags["error"] = "true"
    start, end = int(raw["startTimeUnixNano"]), int(raw["endTimeUnixNano"])
    parent = raw.get("parentSpanId", "")
    return Span(raw["spanId"], parent, raw["name"], service, start / 1e9, (end - start) / 1e9, tags)


def _attributes(pairs: Any) -> dict[str, str]:
    return {pair["key"]: str(next(iter(pair["value"].values()), "")) for pair in pairs}


def _from_classic(answer: Any) -> list[Trace]:
    spans = []
    for trace in answer.get("data") or []:
        for raw in trace["spans"]:
            service = trace["processes"][raw["processID"]]["serviceName"]
            spans.append((trace["traceID"], _classic_span(raw, service)))
    return _grouped(spans)


def _classic_span(raw: Any, service: str) -> Span:
    parents = [each["spanID"] for each in raw["references"] if each["refType"] == "CHILD_OF"]
    return Span(
        raw["spanID"],
        parents[0] if parents else "",
        raw["operationName"],
        service,
        raw["startTime"] / 1e6,
        raw["duration"] / 1e6,
        {tag["key"]: str(tag["value"]) for tag in raw["tags"]},
    )
