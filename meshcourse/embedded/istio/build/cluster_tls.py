"""The transport socket of a service's cluster.

Source: pilot's cluster_tls: without a ``tls`` setting mutual TLS is chosen endpoint by endpoint
(auto mTLS) from the endpoint's metadata; a DestinationRule's ``tls`` replaces that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from meshcourse.embedded.istio.build import proto, tls
from meshcourse.embedded.istio.model import Json, Protocol


@dataclass(frozen=True, slots=True)
class Upstream:
    """Whom a cluster connects to.

    :param server_name: the mesh's server name for it (`names.sni`).
    :param identities: SPIFFE ids its endpoints may have.
    :param automatic: whether endpoints may be asked for mutual TLS without a setting.
    :param follows: whether it speaks the client's version of HTTP: the offer then names none, and
        the server looks at the first bytes.
    """

    server_name: str
    identities: Sequence[str]
    protocol: Protocol
    http2: bool
    automatic: bool
    follows: bool = False

    @property
    def alpn(self) -> Sequence[str]:
        if self.follows:
            return tls.ALPN_TCP
        if self.http2:
            return tls.ALPN_HTTP2
        return tls.ALPN_HTTP1 if self.protocol.http else tls.ALPN_TCP


@dataclass(frozen=True, slots=True)
class Socket:
    """Fields of the cluster, and ``upstream_http_protocol_options`` if server names follow the
    request.
    """

    fields: Json = field(default_factory=dict)
    auto_sni: Json = field(default_factory=dict)


def build(upstream: Upstream, setting: Mapping[str, Any] | None) -> Socket:
    """How clients connect under the ``tls`` of a traffic policy."""
    if setting is None:
        return _automatic(upstream) if upstream.automatic else Socket()
    mode = setting.get("mode", "DISABLE")
    if mode == "DISABLE":
        return Socket()
    if mode == "ISTIO_MUTUAL":
        return _mutual(upstream, setting)
    socket = tls.origination(setting, http2=upstream.http2)
    return Socket({"transport_socket": socket}, _auto_sni(setting))


def _automatic(upstream: Upstream) -> Socket:
    socket = tls.mesh_client(upstream.server_name, upstream.identities, upstream.alpn)
    matches = [
        {"name": "tlsMode-istio", "match": {"tlsMode": "istio"}, "transport_socket": socket},
        {"name": "tlsMode-disabled", "match": {}, "transport_socket": proto.RAW_BUFFER},
    ]
    return Socket({"transport_socket_matches": matches})


def _mutual(upstream: Upstream, setting: Mapping[str, Any]) -> Socket:
    sans = setting.get("subjectAltNames")
    accepted = upstream.identities if sans is None else sans
    server_name = setting.get("sni") or upstream.server_name
    return Socket({"transport_socket": tls.mesh_client(server_name, accepted, upstream.alpn)})


def _auto_sni(setting: Mapping[str, Any]) -> Json:
    """Without an explicit server name the request's authority is sent, and the certificate must
    match it.
    """
    if setting.get("sni"):
        return {}
    verify = not setting.get("subjectAltNames") and not setting.get("insecureSkipVerify")
    return {"auto_sni": True, **({"auto_san_validation": True} if verify else {})}
