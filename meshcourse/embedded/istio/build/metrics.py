"""Istio's standard metrics out of Envoy's stats access logger.

Source: istio.io "Istio Standard Metrics". Envoy's Prometheus endpoint shows the counters under
``envoy_wasmcustom_istio_…`` (`STAT_PREFIX`); the agent removes the prefix when it merges metrics.
Telemetry resources may switch metrics off and change tags.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from meshcourse.embedded.istio.build import labels, proto
from meshcourse.embedded.istio.model import Json

STAT_PREFIX: Final = "wasmcustom"
#: One scope for all loggers of a proxy, so that counters survive a listener that is replaced. The agent's
#: bootstrap holds it, too (``envoy.type.v3.Scope``).
SCOPE: Final[Json] = {"prefix": STAT_PREFIX, "sharing_name": "istio"}

_IS_GRPC: Final = (
    "'content-type' in request.headers && "
    "request.headers['content-type'].startsWith('application/grpc')"
)
_HTTP_TAGS: Final = {
    "request_protocol": f"%CEL({_IS_GRPC} ? 'grpc' : 'http')%",
    "response_code": "%RESPONSE_CODE%",
    "grpc_response_status": labels.first_of("GRPC_STATUS_NUMBER", ""),
    "response_flags": "%RESPONSE_FLAGS%",
}
_TCP_TAGS: Final = {"request_protocol": "tcp", "response_flags": "%RESPONSE_FLAGS%"}

#: Istio's name of a metric in Telemetry → the metric, its unit ("" for counters), its value (None:
#: count one).
_HTTP: Final[dict[str, tuple[str, str, str | None]]] = {
    "REQUEST_COUNT": ("istio_requests_total", "", None),
    "REQUEST_DURATION": ("istio_request_duration_milliseconds", "Milliseconds", "%DURATION%"),
    "REQUEST_SIZE": ("istio_request_bytes", "Bytes", "%DOWNSTREAM_WIRE_BYTES_RECEIVED%"),
    "RESPONSE_SIZE": ("istio_response_bytes", "Bytes", "%DOWNSTREAM_WIRE_BYTES_SENT%"),
}
_TCP_OPENED: Final[dict[str, tuple[str, str, str | None]]] = {
    "TCP_OPENED_CONNECTIONS": ("istio_tcp_connections_opened_total", "", None),
}
_TCP_CLOSED: Final[dict[str, tuple[str, str, str | None]]] = {
    "TCP_CLOSED_CONNECTIONS": ("istio_tcp_connections_closed_total", "", None),
    "TCP_RECEIVED_BYTES": ("istio_tcp_received_bytes_total", "", "%BYTES_RECEIVED%"),
    "TCP_SENT_BYTES": ("istio_tcp_sent_bytes_total", "", "%BYTES_SENT%"),
}
METRICS: Final = frozenset((*_HTTP, *_TCP_OPENED, *_TCP_CLOSED))


@dataclass(frozen=True, slots=True)
class Override:
    """What a Telemetry changes of one metric: `tags` by name, a CEL expression or None (removed)."""

    disabled: bool = False
    tags: Mapping[str, str | None] = field(default_factory=dict)


Overrides = Mapping[str, Override]


def http(base: Mapping[str, str], overrides: Overrides) -> list[Json]:
    """The logger of requests: count, duration (ms), request and response bytes; none if all are
    off.
    """
    return _logger({**base, **_HTTP_TAGS}, _HTTP, overrides)


def tcp_opened(base: Mapping[str, str], overrides: Overrides) -> list[Json]:
    """The logger of connections that were made."""
    return _logger({**base, **_TCP_TAGS}, _TCP_OPENED, overrides)


def tcp_closed(base: Mapping[str, str], overrides: Overrides) -> list[Json]:
    """The logger of connections that ended; bytes are counted here."""
    return _logger({**base, **_TCP_TAGS}, _TCP_CLOSED, overrides)


def _logger(
    tags: Mapping[str, str],
    metrics: Mapping[str, tuple[str, str, str | None]],
    overrides: Overrides,
) -> list[Json]:
    counters: list[Json] = []
    histograms: list[Json] = []
    for key, (name, unit, value) in metrics.items():
        override = overrides.get(key, Override())
        if override.disabled:
            continue
        stat = {"stat": {"name": name, "tags": _tags(tags, override)}}
        amount: dict[str, Any] = {"value_format": value} if value else {"value_fixed": 1}
        if unit:
            histograms.append({**stat, "unit": unit, **amount})
        else:
            counters.append({**stat, **amount})
    if not counters and not histograms:
        return []
    logger = proto.named(
        "envoy.access_loggers.stats",
        "extensions.access_loggers.stats.v3.Config",
        stats_scope=SCOPE,
        counters=counters or None,
        histograms=histograms or None,
    )
    return [logger]


def _tags(tags: Mapping[str, str], override: Override) -> list[Json]:
    changed: dict[str, str | None] = {**tags}
    for name, expression in override.tags.items():
        changed[name] = None if expression is None else f"%CEL({expression})%"
    return [
        {"name": name, "value_format": value}
        for name, value in changed.items()
        if value is not None
    ]
