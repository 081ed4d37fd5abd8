"""Which clusters a listener or route refers to, found in its JSON without knowing every filter.

Envoy names clusters under a handful of keys (API reference v3: RouteAction, TcpProxy, WeightedCluster, GrpcService,
HttpUri, tracers); a name that is not a cluster of the proxy does no harm, it is simply never waited for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

#: Large parts of the statistics loggers in which no cluster is ever named.
_BARREN = frozenset({"counters", "gauges", "histograms", "log_format", "metadata"})
_NAMING = frozenset({"cluster", "cluster_name", "collector_cluster", "logging_cluster"})


def clusters(resource: Mapping[str, Any]) -> frozenset[str]:
    """Names of all clusters mentioned anywhere in a listener, route or extension."""
    return frozenset(_walk(resource))


def _walk(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():
            if isinstance(value, str):
                if key in _NAMING:
                    yield value
            elif key == "clusters" and isinstance(value, list):
                yield from _weighted(value)
            elif isinstance(value, (dict, list)) and key not in _BARREN:
                yield from _walk(value)
    elif isinstance(node, list):
        for item in node:
            yield from _walk(item)


def _weighted(entries: list[Any]) -> Iterator[str]:
    for entry in entries:
        if isinstance(entry, dict) and isinstance(entry.get("name"), str):
            yield entry["name"]
        yield from _walk(entry)


def endpoints_of(cluster: Mapping[str, Any]) -> str:
    """The EDS resource that a cluster needs before it can serve; "" if it does not use EDS."""
    if cluster.get("type") != "EDS":
        return ""
    config = cluster.get("eds_cluster_config") or {}
    return str(config.get("service_name") or cluster["name"])
