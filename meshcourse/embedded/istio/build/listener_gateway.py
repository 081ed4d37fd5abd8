"""Listeners of gateways, at the pod's address and the target port: ``0.0.0.0_8080`` as Istio names
them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from meshcourse.embedded.istio.build import (
    connection_manager,
    filters,
    labels,
    proto,
    tls_gateway,
)
from meshcourse.embedded.istio.build.listener_inbound import TLS_INSPECTOR
from meshcourse.embedded.istio.build.reporting import Reporting
from meshcourse.embedded.istio.gateways import Listener, Server
from meshcourse.embedded.istio.model import Json, MeshConfig, Proxy
from meshcourse.embedded.istio.proxy_settings import ProxySettings

#: Filter chains of a server that routes connections: (server names, network filters).
Chains = Callable[[Server], Sequence[tuple[Sequence[str], list[Json]]]]

_PROXY_PROTOCOL: Final[Json] = proto.named(
    "envoy.filters.listener.proxy_protocol",
    "extensions.filters.listener.proxy_protocol.v3.ProxyProtocol",
)


@dataclass(frozen=True, slots=True)
class Edge:
    """What all listeners of a gateway have in common."""

    mesh: MeshConfig
    reporting: Reporting
    settings: ProxySettings


def build(proxy: Proxy, listener: Listener, edge: Edge, chains: Chains) -> Json | None:
    """One listener; None if none of its servers leads anywhere."""
    found = _filter_chains(listener, edge, chains)
    if not found:
        return None
    host, port = proxy.addresses.pod(listener.port)
    result: Json = {
        "name": f"0.0.0.0_{listener.port}",
        "address": proto.address(host, port),
        "traffic_direction": "OUTBOUND",
        "enable_reuse_port": False,
        "filter_chains": found,
    }
    inspectors = [_PROXY_PROTOCOL] if edge.settings.proxy_protocol else []
    if any(one.is_tls for one in listener.servers):
        inspectors.append(TLS_INSPECTOR)
    return {**result, "listener_filters": inspectors} if inspectors else result


def _filter_chains(listener: Listener, edge: Edge, chains: Chains) -> list[Json]:
    if listener.servers[0].protocol.http:
        return [{"filters": [_http(listener.servers[0], edge)]}]
    result: list[Json] = []
    for server in listener.servers:
        if server.http:
            result.append(_chain(server, server.sni(), [_http(server, edge)]))
        else:
            result += [_chain(server, sni, found) for sni, found in chains(server)]
    return result


def _chain(server: Server, sni: Sequence[str], network: list[Json]) -> Json:
    match: Mapping[str, Any] = {}
    if server.is_tls:
        names = [one for one in sni if one != "*"]
        match = {"transport_protocol": "tls", **({"server_names": names} if names else {})}
    chain = proto.compact(filter_chain_match=dict(match), filters=network)
    if server.terminates_tls:
        chain["transport_socket"] = tls_gateway.terminate(server)
    return chain


def _http(server: Server, edge: Edge) -> Json:
    manager = connection_manager.Manager(
        stat_prefix=f"outbound_0.0.0.0_{server.target}",
        route=server.route,
        filters=filters.gateway(edge.settings),
        logs=edge.reporting.http(labels.source()),
        tracing=edge.reporting.tracing,
    )
    return connection_manager.build(
        manager,
        edge.mesh,
        use_remote_address=True,
        **edge.settings.headers(),
        **edge.settings.edge(),
    )
