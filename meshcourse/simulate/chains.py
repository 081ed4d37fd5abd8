"""Which listener takes a connection, and which of its filter chains.

Source: Envoy's documentation of FilterChainMatch: destination port first, then server name (the most specific), then
transport, then application protocols.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

Json = Mapping[str, Any]
Named = tuple[str, Json]

#: Istio's name of the one inbound listener.
_VIRTUAL: Final = "virtualInbound"
_ANY: Final = ("0.0.0.0", "::")
#: What listeners find out about plaintext HTTP (http_inspector).
_PLAIN_HTTP: Final = ("http/1.0", "http/1.1", "h2c")


@dataclass(frozen=True, slots=True)
class Connection:
    """What is known of a connection when its filter chain is chosen.

    :param port: the original destination's, where one listener serves several ports.
    """

    encrypted: bool = False
    alpn: Sequence[str] = ()
    sni: str = ""
    port: int = 0

    @property
    def offer(self) -> set[str]:
        """Application protocols; those of plaintext are found by inspection."""
        return set(self.alpn) if self.encrypted else {*self.alpn, *_PLAIN_HTTP}


def of_address(listeners: Mapping[str, Json], address: str) -> Named | None:
    """The listener that stands for an original destination: its address, else its port on all addresses."""
    host, _, port = address.rpartition(":")
    for wanted in ((host,), _ANY):
        for name, listener in listeners.items():
            found = _socket(listener)
            if found.get("address") in wanted and str(found.get("port_value")) == port:
                return name, listener
    return None


def of_port(listeners: Mapping[str, Json], port: int) -> Named | None:
    """The inbound listener for a pod's port: its own, else the one for all ports."""
    inbound = {
        name: one for name, one in listeners.items() if one.get("traffic_direction") == "INBOUND"
    }
    own = f"{_VIRTUAL}_{port}"
    if own in inbound:
        return own, inbound[own]
    if _VIRTUAL in inbound:
        return _VIRTUAL, inbound[_VIRTUAL]
    at_port = (one for one in inbound.items() if _socket(one[1]).get("port_value") == port)
    return next(at_port, None)


def _socket(listener: Json) -> Json:
    found: Json = (listener.get("address") or {}).get("socket_address") or {}
    return found


def choose(listener: Json, connection: Connection) -> Json | None:
    """The filter chain of a connection; None if it finds none, and is closed."""
    best: tuple[tuple[int, ...], Json] | None = None
    for chain in listener.get("filter_chains") or []:
        rank = _rank(chain.get("filter_chain_match") or {}, connection)
        if rank is not None and (best is None or rank > best[0]):
            best = rank, chain
    return best[1] if best else listener.get("default_filter_chain")


def _rank(match: Json, connection: Connection) -> tuple[int, ...] | None:
    port = match.get("destination_port")
    if port is not None and port != connection.port:
        return None
    server_names = match.get("server_names") or []
    name = max((_sni(one, connection.sni) for one in server_names), default=0)
    if server_names and not name:
        return None
    transport = match.get("transport_protocol")
    if transport and transport != ("tls" if connection.encrypted else "raw_buffer"):
        return None
    protocols = match.get("application_protocols") or []
    if protocols and not set(protocols) & connection.offer:
        return None
    return port is not None, name, bool(transport), bool(protocols)


def _sni(pattern: str, sni: str) -> int:
    if pattern == sni:
        return 1000
    if pattern.startswith("*.") and sni.endswith(pattern[1:]):
        return len(pattern)
    return 0
