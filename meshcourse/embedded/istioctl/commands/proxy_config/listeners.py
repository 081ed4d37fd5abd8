"""Listeners: where traffic comes in, what decides about it, and where that sends it."""

from __future__ import annotations

import argparse
from typing import Any

from meshcourse.embedded.istioctl.commands.proxy_config import routes

Json = dict[str, Any]
HEADER = ["ADDRESSES", "PORT", "MATCH", "DESTINATION"]
SHORT_HEADER = ["ADDRESSES", "PORT", "TYPE"]

_HTTP = "envoy.filters.network.http_connection_manager"
_TCP = "envoy.filters.network.tcp_proxy"
#: Lists of application protocols that have a name of their own in istioctl's output.
_PROTOCOLS = {
    ("http/1.0", "http/1.1", "h2c", "istio-http/1.0", "istio-http/1.1", "istio-h2"): "HTTP TLS",
    ("istio", "istio-http/1.0", "istio-http/1.1", "istio-h2"): "Istio HTTP Plain",
    ("istio-peer-exchange", "istio"): "TCP TLS",
    ("http/1.0", "http/1.1", "h2c"): "HTTP",
}


def add_filters(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--address", default="", help="Filter listeners by address field")
    parser.add_argument("--type", default="", help="Filter listeners by type field")
    parser.add_argument("--port", type=int, default=0, help="Filter listeners by Port field")


def select(found: list[Json], options: argparse.Namespace) -> list[Json]:
    chosen = [one for one in found if _matches(one, options)]
    return sorted(chosen, key=lambda one: (_port(one), _address(one), _type(one)))


def _matches(listener: Json, options: argparse.Namespace) -> bool:
    if options.address and options.address != _address(listener):
        return False
    if options.port and options.port != _port(listener):
        return False
    return not options.type or options.type.upper() == _type(listener)


def rows(found: list[Json], *, verbose: bool) -> list[list[str]]:
    if not verbose:
        return [[_address(one), str(_port(one)), _type(one)] for one in found]
    return [row for one in found for row in _chains(one)]


def _chains(listener: Json) -> list[list[str]]:
    pairs = [(_destination(chain), match(chain)) for chain in _filter_chains(listener)]
    where = [_address(listener), str(_port(listener))]
    return [[*where, condition, target] for target, condition in sorted(pairs, reverse=True)]


def _filter_chains(listener: Json) -> list[Json]:
    default = listener.get("default_filter_chain")
    return [*(listener.get("filter_chains") or ()), *([default] if default else [])]


def _socket(listener: Json) -> Json:
    return dict((listener.get("address") or {}).get("socket_address") or {})


def _address(listener: Json) -> str:
    pipe = ((listener.get("address") or {}).get("pipe") or {}).get("path", "")
    return str(_socket(listener).get("address") or pipe)


def _port(listener: Json) -> int:
    return int(_socket(listener).get("port_value") or 0)


def _filters(listener: Json) -> list[Json]:
    return [one for chain in _filter_chains(listener) for one in chain.get("filters") or ()]


def _type(listener: Json) -> str:
    names = [one["name"] for one in _filters(listener) if not _black_hole(one)]
    http, tcp = _HTTP in names, _TCP in names
    return "HTTP+TCP" if http and tcp else "HTTP" if http else "TCP" if tcp else "UNKNOWN"


def _black_hole(filter_: Json) -> bool:
    config = filter_.get("typed_config") or {}
    return filter_["name"] == _TCP and config.get("cluster") == "BlackHoleCluster"


def match(chain: Json) -> str:
    """The conditions of a filter chain."""
    found = chain.get("filter_chain_match") or {}
    parts = []
    if found.get("server_names"):
        parts.append("SNI: " + ",".join(found["server_names"]))
    if found.get("transport_protocol"):
        parts.append(f"Trans: {found['transport_protocol']}")
    protocols = tuple(found.get("application_protocols") or ())
    if protocols:
        parts.append("App: " + _PROTOCOLS.get(protocols, ",".join(protocols)))
    port = f":{found['destination_port']}" if found.get("destination_port") else ""
    ranges = [
        f"{one['address_prefix']}/{one.get('prefix_len', 0)}"
        for one in found.get("prefix_ranges") or ()
    ]
    if ranges:
        parts.append("Addr: " + ",".join(f"{one}{port}" for one in ranges))
    elif port:
        parts.append(f"Addr: *{port}")
    return "; ".join(parts) or "ALL"


def _destination(chain: Json) -> str:
    for filter_ in chain.get("filters") or ():
        config = filter_.get("typed_config") or {}
        if filter_["name"] == _HTTP:
            return _http_destination(config)
        if filter_["name"] == _TCP and not _black_hole(filter_):
            cluster = str(config.get("cluster") or _weighted(config))
            return cluster if "Cluster" in cluster else f"Cluster: {cluster}"
    return "Non-HTTP/Non-TCP"


def _weighted(config: Json) -> str:
    clusters = (config.get("weighted_clusters") or {}).get("clusters") or ()
    return ", ".join(f"{one['name']} ({one.get('weight', 0)})" for one in clusters)


def _http_destination(manager: Json) -> str:
    if "route_config" in manager:
        return routes.inline(manager["route_config"])
    name = (manager.get("rds") or {}).get("route_config_name")
    return f"Route: {name}" if name else "HTTP"
