"""Outbound capture: an HTTP proxy at the application's address, and the internal listener behind
CONNECT.

There is no iptables here. The application has ``http_proxy`` set to its own address, port 15001;
plain HTTP arrives in absolute form, gRPC and raw TCP as CONNECT. CONNECT to an HTTP service is
terminated into the internal listener `names.CAPTURE`, whose connection manager follows the same
routes; CONNECT to a TCP service goes to the service's cluster.
"""

from __future__ import annotations

from typing import Final

from meshcourse.embedded.istio import names
from meshcourse.embedded.istio.build import access_logs, connection_manager, filters, labels, proto
from meshcourse.embedded.istio.build.reporting import Reporting
from meshcourse.embedded.istio.model import Json, MeshConfig, Proxy
from meshcourse.embedded.istio.proxy_settings import ProxySettings

#: Shared by the PassthroughCluster and the filter that feeds it; Envoy insists that they are equal.
DNS_CACHE: Final[Json] = {"name": "passthrough", "dns_lookup_family": "V4_PREFERRED"}


def _connect(*, wanted: bool) -> Json:
    header = {"name": ":method", "string_match": {"exact": "CONNECT"}, "invert_match": not wanted}
    return {"header_filter": {"header": header}}


#: CONNECT into the capture listener is plumbing: neither logged nor counted.
_TO_SERVICE: Final = access_logs.expression(f"xds.cluster_name != '{names.CAPTURE}'")
_REQUESTS: Final = access_logs.both(_connect(wanted=False), access_logs.log_types("DownstreamEnd"))
_OPENED: Final = access_logs.both(
    _connect(wanted=True),
    _TO_SERVICE,
    access_logs.log_types("DownstreamTunnelSuccessfullyEstablished"),
)
_CLOSED: Final = access_logs.both(
    _connect(wanted=True), _TO_SERVICE, access_logs.log_types("DownstreamEnd")
)


def build(
    proxy: Proxy, mesh: MeshConfig, reporting: Reporting, settings: ProxySettings
) -> list[Json]:
    """The two listeners of a sidecar."""
    managers = {
        name: _manager(name, mesh, reporting, settings)
        for name in (names.OUTBOUND_LISTENER, names.CAPTURE)
    }
    host, port = proxy.addresses.app(names.OUTBOUND_PORT)
    return [
        {
            "name": names.OUTBOUND_LISTENER,
            "address": proto.address(host, port),
            "traffic_direction": "OUTBOUND",
            "enable_reuse_port": False,
            "filter_chains": [{"filters": [managers[names.OUTBOUND_LISTENER]]}],
        },
        {
            "name": names.CAPTURE,
            "internal_listener": {},
            "traffic_direction": "OUTBOUND",
            "filter_chains": [{"filters": [managers[names.CAPTURE]]}],
        },
    ]


def _manager(
    stat_prefix: str, mesh: MeshConfig, reporting: Reporting, settings: ProxySettings
) -> Json:
    """Python's http.client sends CONNECT as HTTP/1.0, hence ``accept_http_10``."""
    manager = connection_manager.Manager(
        stat_prefix=f"outbound_{stat_prefix}",
        route=names.OUTBOUND_ROUTE,
        filters=filters.outbound(settings, DNS_CACHE),
        logs=[
            *reporting.http(labels.source(), _REQUESTS),
            *reporting.tcp(labels.source(), _OPENED, _CLOSED),
        ],
        tracing=reporting.tracing,
    )
    return connection_manager.build(
        manager,
        mesh,
        **settings.headers(named=False),
        upgrade_configs=[{"upgrade_type": "CONNECT"}, {"upgrade_type": "websocket"}],
        http2_protocol_options={"allow_connect": True},
        http_protocol_options={"accept_http_10": True},
        access_log_options={"flush_log_on_tunnel_successfully_established": True},
    )
