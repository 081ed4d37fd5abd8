"""Which protocol a service port speaks.

Source: istio.io "Protocol Selection" (``appProtocol`` first, then the port name's prefix before a
dash) and pilot's conversion of Kubernetes ports.
"""

from __future__ import annotations

from typing import Final

from meshcourse.embedded.istio.model import Protocol

_BY_NAME: Final = {
    "http": Protocol.HTTP,
    "http2": Protocol.HTTP2,
    "http_proxy": Protocol.HTTP,
    "https": Protocol.HTTPS,
    "grpc": Protocol.GRPC,
    "grpc-web": Protocol.GRPC_WEB,
    "tcp": Protocol.TCP,
    "tls": Protocol.TLS,
    "mongo": Protocol.MONGO,
    "redis": Protocol.REDIS,
    "mysql": Protocol.MYSQL,
    "udp": Protocol.UDP,
}
_APP_PROTOCOLS: Final = {
    "kubernetes.io/h2c": Protocol.HTTP2,
    "kubernetes.io/ws": Protocol.HTTP,
    "kubernetes.io/wss": Protocol.HTTPS,
}
#: Ports whose protocols let the server speak first: never sniffed (SMTP, DNS, MySQL, MongoDB).
_SERVER_FIRST: Final = frozenset((25, 53, 3306, 27017))


def parse(name: str) -> Protocol:
    """The protocol of that name (as in Gateway and ServiceEntry ports), AUTO if there is none."""
    return _BY_NAME.get(name.lower(), Protocol.AUTO)


def of_port(
    number: int, name: str, transport: str = "TCP", app_protocol: str | None = None
) -> Protocol:
    """The protocol of a Kubernetes service port."""
    if transport == "UDP":
        return Protocol.UDP
    if app_protocol in _APP_PROTOCOLS:
        return _APP_PROTOCOLS[app_protocol]
    text = name if app_protocol is None else app_protocol
    if text.lower().startswith("grpc-web"):
        return Protocol.GRPC_WEB
    found = parse(text.split("-", 1)[0])
    if found is Protocol.AUTO and number in _SERVER_FIRST:
        return Protocol.TCP
    return found
