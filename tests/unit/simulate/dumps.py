"""What an Envoy with given resources would answer at its admin interface."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from meshcourse.simulate import Configuration

_ADMIN = "type.googleapis.com/envoy.admin.v3."


def config_dump(found: Configuration) -> dict[str, Any]:
    """``/config_dump?include_eds``."""
    parts = {
        "ClustersConfigDump": {"dynamic_active_clusters": _wrapped(found.clusters, "cluster")},
        "EndpointsConfigDump": {
            "dynamic_endpoint_configs": _wrapped(found.endpoints, "endpoint_config")
        },
        "ListenersConfigDump": {
            "dynamic_listeners": [
                {"name": one["name"], "active_state": {"listener": one}}
                for one in found.listeners.values()
            ]
        },
        "RoutesConfigDump": {"dynamic_route_configs": _wrapped(found.routes, "route_config")},
        "EcdsConfigDump": {"ecds_filters": _wrapped(found.extensions, "ecds_filter")},
    }
    return {"configs": [{"@type": _ADMIN + name, **part} for name, part in parts.items()]}


def _wrapped(found: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    return [{name: one} for one in found.values()]


def ejected(cluster: str, addresses: Iterable[str]) -> dict[str, Any]:
    """``/clusters?format=json`` in which a cluster's hosts are ejected."""
    hosts = []
    for one in addresses:
        host, _, port = one.rpartition(":")
        address = {"socket_address": {"address": host, "port_value": int(port)}}
        hosts.append({"address": address, "health_status": {"failed_outlier_check": True}})
    return {"cluster_statuses": [{"name": cluster, "host_statuses": hosts}]}
