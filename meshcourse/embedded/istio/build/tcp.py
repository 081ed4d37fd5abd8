"""The TCP proxy, with Istio's TCP metrics and access log."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from meshcourse.embedded.istio.build import access_logs, proto
from meshcourse.embedded.istio.build.reporting import Reporting
from meshcourse.embedded.istio.model import Json

_OPENED: Final = access_logs.log_types("TcpUpstreamConnected")
_CLOSED: Final = access_logs.log_types("TcpConnectionEnd")


def proxy(stat_prefix: str, target: Json, labels: Mapping[str, str], reporting: Reporting) -> Json:
    """The network filter.

    :param target: ``{"cluster": …}`` or ``{"weighted_clusters": …}``.
    :param labels: `labels.source()` or `labels.destination(...)`.
    """
    return proto.named(
        "envoy.filters.network.tcp_proxy",
        "extensions.filters.network.tcp_proxy.v3.TcpProxy",
        stat_prefix=stat_prefix,
        access_log=reporting.tcp(labels, _OPENED, _CLOSED),
        access_log_options={"flush_access_log_on_connected": True},
        **target,
    )
