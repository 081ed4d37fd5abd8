"""The whole mesh on one page: rate, success, and a line for every workload."""

from __future__ import annotations

from meshcourse.embedded.addons.grafana.dashboards import panels

_SOURCE = 'reporter=~"source|waypoint"'
_BY = "destination_workload, destination_workload_namespace, destination_service"


def _success(metric: str = "istio_requests_total") -> str:
    good = f'sum(rate({metric}{{{_SOURCE}, response_code!~"5.*"}}[1m]))'
    return f"{good} / sum(rate({metric}{{{_SOURCE}}}[1m]))"


def _rate(codes: str) -> str:
    return f'round(sum(irate(istio_requests_total{{{_SOURCE}, response_code=~"{codes}"}}[1m])), 0.01) or vector(0)'


def _quantile(quantile: str) -> str:
    buckets = (
        f"sum(rate(istio_request_duration_milliseconds_bucket{{{_SOURCE}}}[1m])) by (le, {_BY})"
    )
    return f"histogram_quantile({quantile}, {buckets})"


def _success_by() -> str:
    good = f'sum(rate(istio_requests_total{{{_SOURCE}, response_code!~"5.*"}}[1m])) by ({_BY})'
    return f"{good} / sum(rate(istio_requests_total{{{_SOURCE}}}[1m])) by ({_BY})"


_TCP_BY = "destination_workload, destination_workload_namespace, destination_service"

DASHBOARD = panels.dashboard(
    "mesh",
    "Istio Mesh",
    [
        panels.stat(
            "Global request volume",
            f"round(sum(irate(istio_requests_total{{{_SOURCE}}}[1m])), 0.01)",
            "reqps",
        ),
        panels.stat("Success rate (not 5xx)", _success(), "percentunit"),
        panels.stat("4xx responses", _rate("4.*"), "reqps"),
        panels.stat("5xx responses", _rate("5.*"), "reqps"),
        panels.table(
            "HTTP and gRPC workloads",
            [
                (f"round(sum(rate(istio_requests_total{{{_SOURCE}}}[1m])) by ({_BY}), 0.01)", "Requests/s"),
                (_quantile("0.50"), "P50 latency (ms)"),
                (_quantile("0.90"), "P90 latency (ms)"),
                (_quantile("0.99"), "P99 latency (ms)"),
                (_success_by(), "Success rate"),
            ],
        ),
        panels.table(
            "TCP workloads",
            [
                (f"sum(rate(istio_tcp_received_bytes_total{{{_SOURCE}}}[1m])) by ({_TCP_BY})", "Bytes received/s"),
                (f"sum(rate(istio_tcp_sent_bytes_total{{{_SOURCE}}}[1m])) by ({_TCP_BY})", "Bytes sent/s"),
            ],
        ),
        panels.series(
            "Requests by workload",
            [
                (
                    f"sum(rate(istio_requests_total{{{_SOURCE}}}[1m])) by (destination_workload)",
                    "{{destination_workload}}",
                )
            ],
            "reqps",
        ),
        panels.series(
            "Istio components by version",
            [("sum(istio_build) by (component, tag)", "{{component}}: {{tag}}")],
            "short",
        ),
    ],
)  # fmt: skip
