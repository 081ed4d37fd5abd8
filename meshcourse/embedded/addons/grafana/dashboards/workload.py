"""One workload: what arrives and what it sends on."""

from __future__ import annotations

from meshcourse.embedded.addons.grafana.dashboards import panels

_IN = 'reporter=~"$qrep", destination_workload_namespace=~"$namespace", destination_workload=~"$workload"'
_OUT = 'reporter="source", source_workload_namespace=~"$namespace", source_workload=~"$workload"'
_LATENCY = "istio_request_duration_milliseconds"


def _requests(filters: str, by: str = "") -> str:
    group = f" by ({by})" if by else ""
    return f"sum(irate(istio_requests_total{{{filters}}}[5m])){group}"


def _success(filters: str, by: str = "") -> str:
    good = f'response_code!~"5.*", {filters}'
    return f"{_requests(good, by)} / {_requests(filters, by)}"


def _quantiles(metric: str, filters: str, by: str) -> list[tuple[str, str]]:
    return [
        (
            f"histogram_quantile({share}, sum(rate({metric}_bucket{{{filters}}}[1m])) by (le, {by}))",
            "{{" + by + "}} P" + share[2:],
        )
        for share in ("0.50", "0.90", "0.99")
    ]


def _tcp(metric: str, filters: str) -> str:
    return f"sum(irate({metric}{{{filters}}}[1m])) or vector(0)"


DASHBOARD = panels.dashboard(
    "workload",
    "Istio Workload",
    [
        panels.row("WORKLOAD: $workload.$namespace"),
        panels.stat("Incoming request volume", f"round({_requests(_IN)}, 0.001)", "reqps"),
        panels.stat("Incoming success rate", f"{_success(_IN)} or on () vector(1)", "percentunit"),
        panels.stat("TCP bytes received", _tcp("istio_tcp_received_bytes_total", _IN), "Bps"),
        panels.stat("TCP bytes sent", _tcp("istio_tcp_sent_bytes_total", _IN), "Bps"),
        panels.row("Inbound"),
        panels.series(
            "Incoming requests by source and response code",
            [
                (
                    f"round({_requests(_IN, 'source_workload, response_code, connection_security_policy')}, 0.001)",
                    "{{source_workload}}: {{response_code}} ({{connection_security_policy}})",
                )
            ],
            "reqps",
        ),
        panels.series(
            "Incoming success rate by source",
            [(_success(_IN, "source_workload"), "{{source_workload}}")],
            "percentunit",
        ),
        panels.series(
            "Incoming duration by source", _quantiles(_LATENCY, _IN, "source_workload"), "ms"
        ),
        panels.series(
            "Incoming request size by source",
            _quantiles("istio_request_bytes", _IN, "source_workload"),
            "decbytes",
        ),
        panels.row("Outbound"),
        panels.series(
            "Outgoing requests by destination and response code",
            [
                (
                    f"round({_requests(_OUT, 'destination_service, response_code')}, 0.001)",
                    "{{destination_service}}: {{response_code}}",
                )
            ],
            "reqps",
        ),
        panels.series(
            "Outgoing success rate by destination",
            [(_success(_OUT, "destination_service"), "{{destination_service}}")],
            "percentunit",
        ),
        panels.series(
            "Outgoing duration by destination",
            _quantiles(_LATENCY, _OUT, "destination_service"),
            "ms",
        ),
        panels.series(
            "Response size by destination",
            _quantiles("istio_response_bytes", _OUT, "destination_service"),
            "decbytes",
        ),
    ],
    [
        panels.variable(
            "namespace",
            "Namespace",
            "sum(istio_requests_total) by (destination_workload_namespace) or "
            "sum(istio_tcp_sent_bytes_total) by (destination_workload_namespace)",
            '/.*_namespace="([^"]*).*/',
        ),
        panels.variable(
            "workload",
            "Workload",
            'sum(istio_requests_total{destination_workload_namespace=~"$namespace"}) by (destination_workload) or '
            'sum(istio_requests_total{source_workload_namespace=~"$namespace"}) by (source_workload)',
            '/.*workload="([^"]*).*/',
        ),
        panels.choice("qrep", "Reporter", ("destination", "source")),
    ],
)
