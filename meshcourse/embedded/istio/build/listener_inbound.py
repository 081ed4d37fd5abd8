"""Inbound: a listener for each port of a pod, at the pod's address.

Istio has one listener (``virtualInbound``) behind iptables; without iptables each port needs its
own, named
``virtualInbound_PORT``. Ports that neither a container nor a service declares are not reachable
through the sidecar.

Filter chains of a port:

``mtls``       TLS whose client offers one of Istio's ALPN names; always there unless mutual TLS is
DISABLEd.
``plaintext``  anything that is not TLS; there if PERMISSIVE or DISABLEd.
``app-tls``    TLS of the application itself, passed through; there if PERMISSIVE or DISABLEd.

STRICT removes the last two: such a connection finds no filter chain and is closed, as on real
Istio. Envoy updates filter chains in place, and the ``mtls`` chain is built without regard to the
mode, so that switching between PERMISSIVE and STRICT drains plaintext connections only. (An
authorization rule in routes would answer plaintext with 403 instead of refusing the connection, and
would not cover TCP.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from meshcourse.embedded.istio import names, proxy_settings
from meshcourse.embedded.istio.build import connection_manager, filters, labels, proto, tcp, tls
from meshcourse.embedded.istio.build.reporting import Reporting
from meshcourse.embedded.istio.model import Json, MeshConfig, Protocol, Proxy
from meshcourse.embedded.istio.proxy_settings import ProxySettings

PERMISSIVE: Final = "PERMISSIVE"
STRICT: Final = "STRICT"
DISABLE: Final = "DISABLE"

TLS_INSPECTOR: Final[Json] = proto.named(
    "envoy.filters.listener.tls_inspector",
    "extensions.filters.listener.tls_inspector.v3.TlsInspector",
)


@dataclass(frozen=True, slots=True)
class InboundPort:
    """One port of the application.

    :param number: the container's port (the pod listens there too).
    :param mode: PERMISSIVE, STRICT or DISABLE.
    """

    number: int
    protocol: Protocol
    mode: str = PERMISSIVE


@dataclass(frozen=True, slots=True)
class Inbound:
    """What all ports of a sidecar have in common.

    :param network: authorization for connections, in front of ports that are not HTTP.
    :param settings: of the proxy.
    """

    mesh: MeshConfig
    reporting: Reporting
    network: Sequence[Json] = ()
    settings: ProxySettings = proxy_settings.DEFAULT


def listener_name(port: int) -> str:
    """The name of the listener of a container port."""
    return f"{names.INBOUND_LISTENER}_{port}"


def build(proxy: Proxy, ports: Sequence[InboundPort], inbound: Inbound) -> list[Json]:
    """The listeners of a sidecar's ports."""
    return [_listener(proxy, port, inbound) for port in ports]


def _listener(proxy: Proxy, port: InboundPort, inbound: Inbound) -> Json:
    host, number = proxy.addresses.pod(port.number)
    return {
        "name": listener_name(port.number),
        "address": proto.address(host, number),
        "traffic_direction": "INBOUND",
        "enable_reuse_port": False,
        "listener_filters": [TLS_INSPECTOR],
        "continue_on_listener_filters_timeout": True,
        "filter_chains": _chains(port, inbound),
    }


def _chains(port: InboundPort, inbound: Inbound) -> list[Json]:
    chains: list[Json] = []
    if port.mode != DISABLE:
        chains.append(_mesh_chain(port, inbound))
    if port.mode != STRICT:
        chains += [_plain_chain(port, inbound), _app_tls_chain(port, inbound)]
    return chains


def _mesh_chain(port: InboundPort, inbound: Inbound) -> Json:
    return {
        "name": f"mtls_{port.number}",
        "filter_chain_match": {
            "transport_protocol": "tls",
            "application_protocols": list(tls.ALPN_MESH),
        },
        "transport_socket": tls.mesh_server(
            (inbound.mesh.trust_domain, *inbound.mesh.trust_domain_aliases)
        ),
        "filters": _application(port, inbound, mutual_tls=True),
    }


def _plain_chain(port: InboundPort, inbound: Inbound) -> Json:
    return {
        "name": f"plaintext_{port.number}",
        "filter_chain_match": {"transport_protocol": "raw_buffer"},
        "filters": _application(port, inbound, mutual_tls=False),
    }


def _app_tls_chain(port: InboundPort, inbound: Inbound) -> Json:
    return {
        "name": f"app-tls_{port.number}",
        "filter_chain_match": {"transport_protocol": "tls"},
        "filters": [*inbound.network, _tcp(port, inbound, mutual_tls=False)],
    }


def _application(port: InboundPort, inbound: Inbound, *, mutual_tls: bool) -> list[Json]:
    if port.protocol.http:
        return [_http(port, inbound, mutual_tls=mutual_tls)]
    return [*inbound.network, _tcp(port, inbound, mutual_tls=mutual_tls)]


def _http(port: InboundPort, inbound: Inbound, *, mutual_tls: bool) -> Json:
    manager = connection_manager.Manager(
        stat_prefix=f"inbound_{port.number}",
        route=names.inbound(port.number),
        filters=filters.inbound(inbound.settings, trusted=mutual_tls),
        logs=inbound.reporting.http(labels.destination(mutual_tls=mutual_tls)),
        tracing=inbound.reporting.tracing,
    )
    return connection_manager.build(
        manager,
        inbound.mesh,
        **inbound.settings.headers(),
        **inbound.settings.inbound(),
    )


def _tcp(port: InboundPort, inbound: Inbound, *, mutual_tls: bool) -> Json:
    tags = labels.destination(mutual_tls=mutual_tls, tcp=True)
    cluster = names.inbound(port.number)
    return tcp.proxy(cluster, {"cluster": cluster}, tags, inbound.reporting)
