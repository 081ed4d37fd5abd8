"""Endpoints: the addresses behind clusters, and what Envoy thinks of their health."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

Json = dict[str, Any]
HEADER = ["ENDPOINT", "STATUS", "OUTLIER CHECK", "CLUSTER"]


def add_filters(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--address", default="", help="Filter endpoints by address field")
    parser.add_argument("--cluster", default="", help="Filter endpoints by cluster name field")
    parser.add_argument("--status", default="", help="Filter endpoints by status field")
    parser.add_argument("--port", type=int, default=0, help="Filter endpoints by Port field")


def select(found: Json, options: argparse.Namespace) -> list[Json]:
    """The cluster statuses of ``/clusters?format=json`` that have a matching host, with only those hosts."""
    chosen = []
    for cluster in found.get("cluster_statuses") or ():
        hosts = [
            host
            for host in cluster.get("host_statuses") or ()
            if _matches(host, cluster["name"], options)
        ]
        if hosts:
            chosen.append({**cluster, "host_statuses": hosts})
    return chosen


def _matches(host: Json, cluster: str, options: argparse.Namespace) -> bool:
    address, port = _where(host)
    if options.cluster and options.cluster.lower() != cluster.lower():
        return False
    if options.address and options.address != address:
        return False
    if options.port and options.port != port:
        return False
    return not options.status or options.status.upper() == _health(host)


def rows(found: list[Json]) -> list[list[str]]:
    return [row for _, row in sorted(_keyed(found))]


def _keyed(found: list[Json]) -> Iterator[tuple[tuple[str, int, str], list[str]]]:
    for cluster in found:
        for host in cluster["host_statuses"]:
            address, port = _where(host)
            shown = f"{address}:{port}" if port else address
            row = [shown, _health(host), _outlier(host), cluster["name"]]
            yield (address, port, cluster["name"]), row


def _where(host: Json) -> tuple[str, int]:
    address = host.get("address") or {}
    if "socket_address" in address:
        socket = address["socket_address"]
        return str(socket["address"]), int(socket.get("port_value") or 0)
    if "pipe" in address:
        return f"unix://{address['pipe']['path']}", 0
    internal = address.get("envoy_internal_address") or {}
    name = internal.get("server_listener_name", "unknown")
    return f"envoy://{name}/{internal.get('endpoint_id', '')}", 0


def _health(host: Json) -> str:
    status = (host.get("health_status") or {}).get("eds_health_status")
    return str(status or "UNKNOWN")


def _outlier(host: Json) -> str:
    failed = (host.get("health_status") or {}).get("failed_outlier_check")
    return "FAILED" if failed else "OK"
