"""The newest traces, in bounded memory."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from meshcourse.embedded.addons.jaeger.spans import Span

#: About 1.5 KB each: 40 MB.
MAX_SPANS = 25_000


@dataclass(frozen=True, slots=True)
class Query:
    """What to look for; times and durations in microseconds."""

    service: str
    operation: str = ""
    start: int = 0
    end: int = 1 << 62
    shortest: int = 0
    longest: int = 1 << 62
    tags: Mapping[str, str] = field(default_factory=dict)
    limit: int = 100

    def matches(self, span: Span) -> bool:
        """Whether one span of a trace satisfies all conditions (a trace is found by any of its spans)."""
        return (
            span.service == self.service
            and self.operation in ("", span.name)
            and self.start <= span.start <= self.end
            and self.shortest <= span.duration <= self.longest
            and all(_text(span.tags.get(key)) == value for key, value in self.tags.items())
        )


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


class Store:
    """Traces by id; when there are too many spans the trace that began to arrive first goes."""

    def __init__(self, max_spans: int = MAX_SPANS) -> None:
        self._max = max_spans
        self._traces: OrderedDict[str, dict[str, Span]] = OrderedDict()
        self._count = 0
        self.received = 0
        self.dropped = 0

    def add(self, spans: Iterable[Span]) -> None:
        """Store spans; a span that comes twice is stored once."""
        for span in spans:
            trace = self._traces.setdefault(span.trace_id, {})
            self._count += span.span_id not in trace
            trace[span.span_id] = span
            self.received += 1
        while self._count > self._max and len(self._traces) > 1:
            _, oldest = self._traces.popitem(last=False)
            self._count -= len(oldest)
            self.dropped += len(oldest)

    @property
    def span_count(self) -> int:
        return self._count

    def trace(self, trace_id: str) -> list[Span]:
        """The spans of a trace by start; empty if it is not known."""
        found = self._traces.get(trace_id.lower().zfill(32), {})
        return sorted(found.values(), key=lambda span: (span.start, span.span_id))

    def search(self, query: Query) -> list[list[Span]]:
        """The newest traces with a matching span, newest first."""
        found: list[list[Span]] = []
        for trace_id in reversed(self._traces):
            if any(query.matches(span) for span in self._traces[trace_id].values()):
                found.append(self.trace(trace_id))
        found.sort(key=lambda trace: trace[0].start, reverse=True)
        return found[: query.limit]

    def services(self) -> list[str]:
        return sorted({span.service for trace in self._traces.values() for span in trace.values()})

    def operations(self, service: str, kind: str = "") -> list[tuple[str, str]]:
        """(name, kind) of the spans of a service, sorted."""
        return sorted(
            {
                (span.name, span.kind)
                for trace in self._traces.values()
                for span in trace.values()
                if span.service == service and kind in ("", span.kind)
            }
        )

    def dependencies(self, start: int, end: int) -> Counter[tuple[str, str]]:
        """How often a span of one service has a child in another, for traces in [start, end] microseconds."""
        found: Counter[tuple[str, str]] = Counter()
        for trace in self._traces.values():
            for span in trace.values():
                parent = trace.get(span.parent_id)
                if (
                    parent is not None
                    and parent.service != span.service
                    and start <= span.start <= end
                ):
                    found[parent.service, span.service] += 1
        return found
