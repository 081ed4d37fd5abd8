"""The routes in front of an application: one per port, carrying policy and what the server's report
says of the service.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from meshcourse.embedded.istio import names
from meshcourse.embedded.istio.build import labels, proto
from meshcourse.embedded.istio.build.listener_inbound import InboundPort
from meshcourse.embedded.istio.build.reporting import route_tracing
from meshcourse.embedded.istio.model import Json, Service

_RETRY: Final[Json] = {"retry_on": "reset-before-request", "num_retries": 2}


def build(
    port: InboundPort,
    service: Service | None,
    service_port: int,
    policy: Mapping[str, Json],
    sampling: float | None = None,
) -> Json:
    """The RouteConfiguration ``inbound|9080||``.

    :param service: the oldest service with this port, None if no service selects the pod there.
    :param policy: ``typed_per_filter_config`` of the virtual host.
    :param sampling: percent of traces that start here, None without a tracer.
    """
    host = service.hostname if service else ""
    virtual_host = proto.compact(
        name=f"inbound|http|{service_port}",
        domains=["*"],
        routes=[_route(port, service, f"{host or 'unknown'}:{service_port}/*", sampling)],
        typed_per_filter_config=dict(policy),
    )
    return {
        "name": names.inbound(port.number),
        "virtual_hosts": [virtual_host],
        "validate_clusters": False,
    }


def _route(
    port: InboundPort, service: Service | None, operation: str, sampling: float | None
) -> Json:
    action: Json = {
        "cluster": names.inbound(port.number),
        "timeout": proto.NO_TIMEOUT,
        "max_stream_duration": {
            "max_stream_duration": proto.NO_TIMEOUT,
            "grpc_timeout_header_max": proto.NO_TIMEOUT,
        },
    }
    if not port.protocol.http2:
        action["retry_policy"] = _RETRY
    route: Json = {
        "name": "default",
        "match": {"prefix": "/"},
        "decorator": {"operation": operation},
        "route": action,
    }
    if (tracing := route_tracing(sampling)) is not None:
        route["tracing"] = tracing
    if service is not None:
        route["metadata"] = labels.service_metadata(service)
    return route
