"""The PromQL behind a graph. Pure: names and text only.

Per namespace three questions about requests and three about bytes: what others failed to reach here (only the source
knows), what arrived here (the destination knows), what left here (the source knows).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from meshcourse.embedded.addons.kiali.options import Options

_ENDS: Final = (
    "source_cluster,source_workload_namespace,source_workload,source_canonical_service,"
    "source_canonical_revision,destination_cluster,destination_service_namespace,"
    "destination_service,destination_service_name,destination_workload_namespace,"
    "destination_workload,destination_canonical_service,destination_canonical_revision"
)
_REQUESTS: Final = f"{_ENDS},request_protocol,response_code,grpc_response_status,response_flags"
_BYTES: Final = f"app,{_ENDS},response_flags"
_SECURITY: Final = f"{_ENDS},source_principal,destination_principal,connection_security_policy"
#: Istio's TCP metrics name directions from the proxy's point of view: what was received is what the client sent.
_TCP: Final = {
    "none": (),
    "sent": ("istio_tcp_received_bytes_total",),
    "received": ("istio_tcp_sent_bytes_total",),
    "total": ("istio_tcp_received_bytes_total", "istio_tcp_sent_bytes_total"),
}
_MESSAGES: Final = {
    "none": (),
    "requests": (),
    "sent": ("istio_request_messages_total",),
    "received": ("istio_response_messages_total",),
    "total": ("istio_request_messages_total", "istio_response_messages_total"),
}


class Query(NamedTuple):
    """A question and the metric it is about."""

    metric: str
    text: str


def traffic(options: Options, namespace: str, seconds: int) -> list[Query]:
    """All questions about the traffic of one namespace."""
    return [
        Query(metric, _sum(metric, matchers, seconds, labels, "" if options.idle_edges else " > 0"))
        for metric, labels, app in _metrics(options)
        for matchers in _directions(options, namespace, app)
    ]


def _metrics(options: Options) -> Iterator[tuple[str, str, str]]:
    if "requests" in (options.rate_http, options.rate_grpc):
        yield "istio_requests_total", _REQUESTS, ""
    for metric in _MESSAGES[options.rate_grpc]:
        yield metric, _ENDS, ""
    without_ztunnel = 'app!="ztunnel",' if options.ambient in ("none", "waypoint") else ""
    for metric in _TCP[options.rate_tcp]:
        yield metric, _BYTES, without_ztunnel


def _directions(options: Options, namespace: str, app: str) -> list[str]:
    source, destination = _reporter("source", options), _reporter("destination", options)
    return [
        f'{app}{source},source_workload_namespace!="{namespace}",'
        'destination_workload_namespace="unknown",destination_workload="unknown",'
        f'destination_service=~"^.+\\\\.{namespace}\\\\..+$"',
        f'{app}{destination},destination_workload_namespace="{namespace}"',
        f'{app}{source},source_workload_namespace="{namespace}"',
    ]


def security(options: Options, namespace: str, seconds: int) -> list[str]:
    """Whether requests and connections were encrypted: only the destination knows."""
    metrics = [metric for metric, _, _ in _metrics(options)]
    reporter = _reporter("destination", options)
    inbound = f'{reporter},source_workload_namespace!="{namespace}",destination_service_namespace="{namespace}"'
    outbound = f'{reporter},source_workload_namespace="{namespace}"'
    return [
        _sum(metric, matchers, seconds, _SECURITY, " > 0")
        for metric in metrics
        for matchers in (inbound, outbound)
    ]


def response_times(options: Options, namespace: str, seconds: int) -> list[str]:
    """Milliseconds by pair; where both ends report, the destination's answer comes first."""
    if "requests" not in (options.rate_http, options.rate_grpc):
        return []
    matchers = (
        f'{_reporter("destination", options)},destination_service_namespace="{namespace}"',
        f'{_reporter("source", options)},source_workload_namespace="{namespace}"',
    )
    return [_response_time(options.quantile, each, seconds) for each in matchers]


def _response_time(quantile: float, matchers: str, seconds: int) -> str:
    name, labels = "istio_request_duration_milliseconds", f"{_ENDS},request_protocol"
    if quantile == 0:
        parts = (_sum(f"{name}_{part}", matchers, seconds, labels) for part in ("sum", "count"))
        return f"{' / '.join(parts)} > 0"
    buckets = _sum(f"{name}_bucket", matchers, seconds, f"le,{labels}")
    return f"histogram_quantile({quantile:.2f}, {buckets}) > 0"


def throughput(options: Options, namespace: str, seconds: int) -> list[str]:
    """Bytes per second of request or response bodies."""
    if options.rate_http != "requests":
        return []
    metric = f"istio_{options.throughput}_bytes_sum"
    reporter = _reporter("source" if options.throughput == "request" else "destination", options)
    return [
        _sum(metric, f"{reporter},{matchers}", seconds, _ENDS, " > 0")
        for matchers in (
            f'source_workload_namespace!="{namespace}",destination_service_namespace="{namespace}"',
            f'source_workload_namespace="{namespace}"',
        )
    ]


def health(namespace: str, seconds: int) -> list[Query]:
    """Requests by code into and out of one namespace, for `health` of its members."""
    labels = f"reporter,{_REQUESTS}"
    return [
        Query(direction, _sum("istio_requests_total", matcher, seconds, labels, " > 0"))
        for direction, matcher in (
            ("inbound", f'destination_service_namespace="{namespace}"'),
            ("outbound", f'source_workload_namespace="{namespace}"'),
        )
    ]


def _sum(metric: str, matchers: str, seconds: int, labels: str, condition: str = "") -> str:
    return f"sum(rate({metric}{{{matchers}}}[{seconds}s])) by ({labels}){condition}"


def _reporter(which: str, options: Options) -> str:
    if options.ambient in ("total", "waypoint"):
        return f'reporter=~"waypoint|{which}"'
    return f'reporter="{which}"'
