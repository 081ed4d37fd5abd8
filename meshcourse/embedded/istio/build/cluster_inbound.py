"""From the sidecar to its application: ``inbound|9080||`` points at the pod's application address."""

from __future__ import annotations

from typing import Final

from meshcourse.embedded.istio import durations, names
from meshcourse.embedded.istio.build import labels, proto
from meshcourse.embedded.istio.build.listener_inbound import InboundPort
from meshcourse.embedded.istio.model import Json, MeshConfig, Proxy, Service

#: Limits that are no limits, as pilot writes them for inbound and default clusters.
UNLIMITED: Final[Json] = {
    "thresholds": [
        {
            "max_connections": 4294967295,
            "max_pending_requests": 4294967295,
            "max_requests": 4294967295,
            "max_retries": 4294967295,
            "track_remaining": True,
        }
    ]
}
PROTOCOL_OPTIONS: Final = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"


def build(proxy: Proxy, port: InboundPort, service: Service | None, mesh: MeshConfig) -> Json:
    """The cluster of one application port; HTTP/2 where the service port says so.

    :param service: whose port it is; only TCP reports read it here, routes carry it for HTTP.
    """
    name = names.inbound(port.number)
    where = proto.address(*proxy.addresses.app(port.number))
    cluster: Json = {
        "name": name,
        "type": "STATIC",
        "connect_timeout": durations.render(mesh.connect_timeout),
        "load_assignment": proto.static_assignment(name, where),
        "circuit_breakers": UNLIMITED,
    }
    if service is not None and not port.protocol.http:
        cluster["metadata"] = labels.service_metadata(service)
    if port.protocol.http2:
        options = proto.typed(
            "extensions.upstreams.http.v3.HttpProtocolOptions",
            explicit_http_config={"http2_protocol_options": {}},
        )
        cluster["typed_extension_protocol_options"] = {PROTOCOL_OPTIONS: options}
    return cluster
