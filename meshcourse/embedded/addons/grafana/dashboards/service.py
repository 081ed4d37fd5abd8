"""One service: what its clients see and what its workloads report."""

from __future__ import annotations

from meshcourse.embedded.addons.grafana.dashboards import panels

_SVC = 'destination_service=~"$service"'
_CLIENT = f'reporter=~"source|waypoint", {_SVC}'
_SERVER = f'reporter=~"$qrep", {_SVC}'


def _requests(filters: str, by: str = "") -> str:
    group = f" by ({by})" if by else ""
    return f"sum(irate(istio_requests_total{{{filters}}}[1m])){group}"


def _success(filters: str, by: str = "") -> str:
    good = f'response_code!~"5.*", {filters}'
    return f"{_requests(good, by)} / {_requests(filters, by)}"


def _quantile(metric: str, quantile: str, filters: str, by: str = "") -> str:
    group = f"le, {by}" if by else "le"
    return (
        f"histogram_quantile({quantile}, sum(rate({metric}_bucket{{{filters}}}[1m])) by ({group}))"
    )


def _quantiles(metric: str, filters: str, by: str) -> list[tuple[str, str]]:
    name = "{{" + by + "}}"
    return [
        (_quantile(metric, share, filters, by), f"{name} P{share[2:]}")
        for share in ("0.50", "0.90", "0.99")
    ]


_LATENCY = "istio_request_duration_milliseconds"
_MTLS = "connection_security_policy, response_code"


def _by_code(by: str) -> tuple[str, str]:
    rate = f"sum(irate(istio_requests_total{{{_SERVER}}}[5m])) by ({by}, {_MTLS})"
    return (
        f"round({rate}, 0.001)",
        f"{{{{{by}}}}}: {{{{response_code}}}} ({{{{connection_security_policy}}}})",
    )


def _bytes(metric: str, filters: str, by: str) -> tuple[str, str]:
    return f"sum(irate({metric}{{{filters}}}[1m])) by ({by})", "{{" + by + "}}"


DASHBOARD = panels.dashboard(
    "service",
    "Istio Service",
    [
        panels.row("SERVICE: $service"),
        panels.stat("Client request volume", _requests(_CLIENT), "reqps"),
        panels.stat("Client success rate", _success(_CLIENT), "percentunit"),
        panels.stat("Server request volume", _requests(_SERVER), "reqps"),
        panels.stat("Server success rate", _success(_SERVER), "percentunit"),
        panels.series(
            "Client request duration",
            [
                (_quantile(_LATENCY, share, _CLIENT), f"P{share[2:]}")
                for share in ("0.50", "0.90", "0.99")
            ],
            "ms",
        ),
        panels.heatmap(
            "Server request duration",
            f"sum(increase({_LATENCY}_bucket{{{_SERVER}}}[1m])) by (le)",
            "ms",
            description="How many requests fell into each duration bucket, minute by minute.",
        ),
        panels.row("Client workloads"),
        panels.series(
            "Requests by source and response code",
            [_by_code("source_workload")],
            "reqps",
        ),
        panels.series(
            "Success rate by source",
            [(_success(_SERVER, "source_workload"), "{{source_workload}}")],
            "percentunit",
        ),
        panels.series("Duration by source", _quantiles(_LATENCY, _SERVER, "source_workload"), "ms"),
        panels.series(
            "TCP bytes received by source",
            [_bytes("istio_tcp_received_bytes_total", _SERVER, "source_workload")],
            "Bps",
        ),
        panels.row("Service workloads"),
        panels.series(
            "Requests by destination and response code",
            [_by_code("destination_workload")],
            "reqps",
        ),
        panels.series(
            "Success rate by destination",
            [(_success(_SERVER, "destination_workload"), "{{destination_workload}}")],
            "percentunit",
        ),
        panels.series(
            "Duration by destination", _quantiles(_LATENCY, _SERVER, "destination_workload"), "ms"
        ),
        panels.series(
            "Request size by destination",
            _quantiles("istio_request_bytes", _SERVER, "destination_workload"),
            "decbytes",
        ),
        panels.series(
            "Response size by destination",
            _quantiles("istio_response_bytes", _SERVER, "destination_workload"),
            "decbytes",
        ),
        panels.series(
            "TCP bytes sent by destination",
            [_bytes("istio_tcp_sent_bytes_total", _SERVER, "destination_workload")],
            "Bps",
        ),
    ],
    [
        panels.variable(
            "service",
            "Service",
            "sum(istio_requests_total{}) by (destination_service) or "
            "sum(istio_tcp_sent_bytes_total{}) by (destination_service)",
            '/.*destination_service="([^"]*).*/',
        ),
        panels.choice("qrep", "Reporter", ("destination", "source")),
    ],
)
