"""Services of the registry (Kubernetes Services and ServiceEntries) and their endpoints."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field

from meshcourse.embedded.istio.model.workload import Workload


class Protocol(enum.StrEnum):
    """A port's protocol as Istio selects it (istio.io, "Protocol Selection")."""

    HTTP = "HTTP"
    HTTP2 = "HTTP2"
    HTTPS = "HTTPS"
    GRPC = "GRPC"
    GRPC_WEB = "GRPC-Web"
    TCP = "TCP"
    TLS = "TLS"
    MONGO = "Mongo"
    REDIS = "Redis"
    MYSQL = "MySQL"
    UDP = "UDP"
    AUTO = "unsupported"

    @property
    def http(self) -> bool:
        """Whether routes apply. An unnamed port (AUTO) counts: the embedded mesh sees HTTP through
        proxy variables.
        """
        return self in _HTTP

    @property
    def http2(self) -> bool:
        return self in (Protocol.HTTP2, Protocol.GRPC, Protocol.GRPC_WEB)

    @property
    def tls(self) -> bool:
        """Opaque TLS that is routed by server name."""
        return self in (Protocol.HTTPS, Protocol.TLS)


_HTTP = frozenset((Protocol.HTTP, Protocol.HTTP2, Protocol.GRPC, Protocol.GRPC_WEB, Protocol.AUTO))


class Resolution(enum.StrEnum):
    """How a client finds endpoints."""

    CLIENT_SIDE = "ClientSideLB"
    DNS = "DNSLB"
    DNS_ROUND_ROBIN = "DNSRoundRobinLB"
    DYNAMIC_DNS = "DynamicDNS"
    PASSTHROUGH = "Passthrough"


@dataclass(frozen=True, slots=True)
class Port:
    """A service port. `target` is what the user wrote: a number, a container port's name, or ""
    (same as number).
    """

    number: int
    name: str
    protocol: Protocol
    target: int | str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Service:
    """One host name of the registry. Equality and hash are identity: ingest reuses unchanged ones.

    :param hostname: ``reviews.default.svc.cluster.local``, or a ServiceEntry host (may start with
        ``*.``).
    :param addresses: cluster IPs or ServiceEntry addresses (CIDRs allowed there).
    :param virtual: ``(port, host, real port)`` at which kube-proxy serves it on this machine.
    :param external_addresses: where load balancers and external IPs make it reachable.
    :param traffic_distribution: ``PreferClose``, ``PreferSameZone``, ``PreferSameNode`` or "".
    :param external_name: another name that this one stands for (``ExternalName``).
    :param export_to: ``*``, ``.``, ``~`` or namespace names.
    :param registry: ``Kubernetes`` or ``External``.
    """

    hostname: str
    namespace: str
    name: str
    ports: tuple[Port, ...]
    addresses: tuple[str, ...] = ()
    resolution: Resolution = Resolution.CLIENT_SIDE
    external: bool = False
    registry: str = "Kubernetes"
    headless: bool = False
    external_name: str = ""
    export_to: frozenset[str] = frozenset(("*",))
    selector: tuple[tuple[str, str], ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    created: str = ""
    subject_alt_names: tuple[str, ...] = ()
    service_type: str = "ClusterIP"
    publish_not_ready: bool = False
    virtual: tuple[tuple[int, str, int], ...] = ()
    external_addresses: tuple[str, ...] = ()
    traffic_distribution: str = ""

    def port(self, number: int) -> Port | None:
        """The port with that number."""
        return next((port for port in self.ports if port.number == number), None)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One address behind a service port.

    :param address: IP address, host name (DNS resolution) or ``unix:///path``.
    :param tls_mode: ``istio`` if a sidecar terminates mTLS there, else ``disabled``.
    :param healthy: readiness; only healthy endpoints are sent, others only with
    `publish_not_ready`.
    """

    address: str
    port: int
    labels: tuple[tuple[str, str], ...] = ()
    service_account: str = ""
    workload: Workload | None = None
    tls_mode: str = "disabled"
    locality: str = ""
    weight: int = 0
    network: str = ""
    healthy: bool = True
