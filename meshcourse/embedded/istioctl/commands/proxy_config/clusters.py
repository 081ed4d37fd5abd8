"""Clusters: where traffic can go."""

from __future__ import annotations

import argparse
from typing import Any

from meshcourse.embedded.istioctl.commands.proxy_config import dump

Json = dict[str, Any]
HEADER = ["SERVICE FQDN", "PORT", "SUBSET", "DIRECTION", "TYPE", "DESTINATION RULE"]


def add_filters(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--fqdn", default="", help="Filter by substring of Service FQDN field")
    parser.add_argument("--direction", default="", help="Filter by Direction field")
    parser.add_argument("--subset", default="", help="Filter by substring of Subset field")
    parser.add_argument("--port", type=int, default=0, help="Filter by Port field")


def select(found: list[Json], options: argparse.Namespace) -> list[Json]:
    """Filtered, and in the order in which istioctl shows them."""
    chosen = [one for one in found if _matches(one["name"], options)]
    return sorted(chosen, key=lambda one: _sort_key(one["name"]))


def _matches(name: str, options: argparse.Namespace) -> bool:
    wanted = (options.fqdn, options.direction, options.subset)
    port = f"|{options.port}|" if options.port else ""
    return all(part in name for part in (*wanted, port))


def _sort_key(name: str) -> tuple[str, str, int, str]:
    parts = name.split("|")
    if len(parts) < 4:
        return name, "", 0, ""
    direction, port, subset, host = parts[:4]
    return host, subset, int(port or 0), direction


def rows(found: list[Json]) -> list[list[str]]:
    return [_row(one) for one in found]


def _row(cluster: Json) -> list[str]:
    kind = str(cluster.get("type") or _custom(cluster))
    rule = dump.origin(cluster)
    parts = cluster["name"].split("|")
    if len(parts) < 4:
        return [cluster["name"], "-", "-", "-", kind, rule]
    direction, port, subset, host = parts[:4]
    return [host, port, subset or "-", direction, kind, rule]


def _custom(cluster: Json) -> str:
    """Envoy leaves out the default type, and custom types have a name instead."""
    return "STATIC" if "cluster_type" not in cluster else cluster["cluster_type"]["name"]
