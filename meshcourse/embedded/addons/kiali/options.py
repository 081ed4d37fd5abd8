"""The parameters of a graph request, checked as Kiali checks them. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

_UNITS: Final = {
    "ms": 0.001,
    "s": 1,
    "m": 60,
    "h": 3600,
    "d": 86_400,
    "w": 604_800,
    "y": 31_536_000,
}
_DURATION: Final = re.compile(r"(?:(\d+)(ms|[smhdwy]))+")
_PART: Final = re.compile(r"(\d+)(ms|[smhdwy])")
_GRAPH_TYPES: Final = ("app", "service", "versionedApp", "workload")
_QUANTILES: Final = {"avg": 0.0, "50": 0.5, "95": 0.95, "99": 0.99}
_TRUE: Final = ("1", "t", "T", "TRUE", "true", "True")
_FALSE: Final = ("0", "f", "F", "FALSE", "false", "False")


class BadRequest(ValueError):
    """A parameter that cannot be used (HTTP 400)."""


@dataclass(frozen=True, slots=True)
class Options:
    """One request for a graph.

    :param duration: seconds of traffic to look at.
    :param query_time: seconds since the epoch; 0 for now.
    :param appenders: names of what completes the graph; None for everything.
    :param quantile: of response times; 0.0 for the average.
    """

    namespaces: tuple[str, ...]
    duration: int = 600
    graph_type: str = "workload"
    query_time: int = 0
    idle_edges: bool = False
    inject_services: bool = False
    box_by: tuple[str, ...] = ()
    rate_http: str = "requests"
    rate_grpc: str = "requests"
    rate_tcp: str = "sent"
    ambient: str = "total"
    appenders: frozenset[str] | None = None
    quantile: float = 0.95
    throughput: str = "response"

    def wants(self, appender: str) -> bool:
        return self.appenders is None or appender in self.appenders


def parse(params: Mapping[str, str]) -> Options:
    """The options of a query string. :raises BadRequest:"""
    graph_type = _one_of(params, "graphType", _GRAPH_TYPES, "workload", "graphType")
    _check_vendors(params)
    _check_refresh(params.get("refreshInterval", ""))
    return Options(
        namespaces=_namespaces(params.get("namespaces", "")),
        duration=max(1, int(seconds(params.get("duration") or "10m", "duration"))),
        graph_type=graph_type,
        query_time=_whole(params, "queryTime"),
        idle_edges=_boolean(params, "includeIdleEdges"),
        # A service graph is a workload graph with service nodes, condensed.
        inject_services=_boolean(params, "injectServiceNodes") or graph_type == "service",
        box_by=_boxes(params.get("boxBy", "")),
        rate_http=_one_of(params, "rateHttp", ("none", "requests"), "requests", "HTTP Rate"),
        rate_grpc=_one_of(
            params,
            "rateGrpc",
            ("none", "received", "requests", "sent", "total"),
            "requests",
            "gRPC Rate",
        ),
        rate_tcp=_one_of(
            params, "rateTcp", ("none", "received", "sent", "total"), "sent", "TCP Rate"
        ),
        ambient=_one_of(
            params,
            "ambientTraffic",
            ("none", "total", "waypoint", "ztunnel"),
            "total",
            "Ambient Traffic",
        ),
        appenders=_appenders(params),
        quantile=_QUANTILES[_response_time(params)],
        throughput=_one_of(
            params, "throughputType", ("request", "response"), "response", "throughputType"
        ),
    )


def seconds(text: str, name: str) -> float:
    """A Prometheus duration (``90s``, ``1h30m``) in seconds. :raises BadRequest:"""
    if not _DURATION.fullmatch(text):
        raise BadRequest(f"Invalid {name} [{text}]")
    return sum(int(amount) * _UNITS[unit] for amount, unit in _PART.findall(text))


def _namespaces(text: str) -> tuple[str, ...]:
    found = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if not found:
        raise BadRequest(
            "At least one namespace must be specified via the namespaces query parameter."
        )
    return found


def _one_of(
    params: Mapping[str, str], name: str, allowed: tuple[str, ...], default: str, title: str
) -> str:
    value = params.get(name) or default
    if value not in allowed:
        raise BadRequest(f"Invalid {title} [{value}]")
    return value


def _boolean(params: Mapping[str, str], name: str) -> bool:
    value = params.get(name) or "false"
    if value not in _TRUE + _FALSE:
        raise BadRequest(f"Invalid {name} [{value}]")
    return value in _TRUE


def _whole(params: Mapping[str, str], name: str) -> int:
    value = params.get(name) or "0"
    if not value.isdigit():
        raise BadRequest(f"Invalid {name} [{value}]")
    return int(value)


def _boxes(text: str) -> tuple[str, ...]:
    found = tuple(part.strip() for part in text.split(",") if part.strip())
    if any(part not in ("app", "cluster", "namespace") for part in found):
        raise BadRequest(f"Invalid boxBy [{text}]")
    return found


def _appenders(params: Mapping[str, str]) -> frozenset[str] | None:
    if "appenders" not in params:
        return None
    return frozenset(name.strip() for name in params["appenders"].split(","))


def _response_time(params: Mapping[str, str]) -> str:
    value = params.get("responseTime") or "95"
    if value not in _QUANTILES:
        raise BadRequest(f"Invalid responseTime, must be one of: avg | 50 | 95 | 99: [{value}]")
    return value


def _check_vendors(params: Mapping[str, str]) -> None:
    for name, only in (("configVendor", "common"), ("telemetryVendor", "istio")):
        if (params.get(name) or only) != only:
            raise BadRequest(f"Invalid {name} [{params[name]}]")


def _check_refresh(text: str) -> None:
    """Kiali caches graphs for this long; ours are fresh, so the value is only checked."""
    try:
        interval = int(text or 0)
    except ValueError as error:
        raise BadRequest(f"Invalid refresh interval [{text}]") from error
    if 0 < interval < 10_000 or interval > 900_000:
        raise BadRequest(
            "Refresh interval must be between 10000ms and 900000ms, or 0 to disable caching"
        )
