"""What one direction of a proxy reports: metrics, access logs, spans."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from meshcourse.embedded.istio.build import access_logs, metrics
from meshcourse.embedded.istio.model import Json


@dataclass(frozen=True, slots=True, eq=False)
class Reporting:
    """Resolved from MeshConfig and Telemetry resources for one proxy and direction.

    :param logs: access loggers, each with its own filter if it has one.
    :param tracing: ``HttpConnectionManager.Tracing``, None without a tracer.
    :param sampling: percent of traces that start here; it travels in routes, so that a change does
        not touch listeners.
    """

    overrides: metrics.Overrides = field(default_factory=dict)
    logs: Sequence[Json] = ()
    tracing: Json | None = None
    sampling: float | None = None

    def http(self, labels: Mapping[str, str], condition: Json | None = None) -> list[Json]:
        """The access loggers of a connection manager."""
        found = [*metrics.http(labels, self.overrides), *self.logs]
        return [access_logs.filtered(one, condition) for one in found]

    def tcp(
        self, labels: Mapping[str, str], opened: Json | None, closed: Json | None
    ) -> list[Json]:
        """The access loggers of connections, with the filters for "connected" and "finished"."""
        begin = metrics.tcp_opened(labels, self.overrides)
        end = [*metrics.tcp_closed(labels, self.overrides), *self.logs]
        return [
            *(access_logs.filtered(one, opened) for one in begin),
            *(access_logs.filtered(one, closed) for one in end),
        ]


def route_tracing(sampling: float | None) -> Json | None:
    """``Route.tracing``: the share of requests whose trace is kept; None without a tracer."""
    if sampling is None:
        return None
    return {
        "client_sampling": _share(100.0),
        "random_sampling": _share(sampling),
        "overall_sampling": _share(100.0),
    }


def _share(percent: float) -> Json:
    """In ten-thousandths: Envoy decides by a number below that, finer shares would always be true."""
    return {"numerator": round(percent * 100), "denominator": "TEN_THOUSAND"}
