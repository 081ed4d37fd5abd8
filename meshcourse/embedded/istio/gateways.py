"""Which Gateway servers a gateway proxy opens, on which port and under which route name.

Source: istio.io reference of Gateway; pilot's merging of gateways: a server's port is translated to
the target port of the proxy's Service, plain HTTP servers on one port share one route configuration
``http.8080``, servers that terminate TLS have one each (``https.443.NAME.GATEWAY.NAMESPACE``),
later conflicting servers are skipped (oldest first).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from meshcourse.embedded.istio import hosts, inbound
from meshcourse.embedded.istio.ingest import protocols
from meshcourse.embedded.istio.model import Config, Protocol, Proxy, Snapshot

#: On converted Gateways: the services whose pods open them (host names, by commas).
SERVICE: Final = "internal.istio.io/gateway-service"
PASSTHROUGH_MODES: Final = frozenset(("PASSTHROUGH", "AUTO_PASSTHROUGH"))


@dataclass(frozen=True, slots=True, eq=False)
class Server:
    """One server of a Gateway, as a gateway proxy opens it.

    :param gateway: ``namespace/name``.
    :param port: the port that clients call; `target` is the one the proxy listens on.
    :param granted: whether its credentials may lie in other namespaces (checked on conversion).
    :param hosts: ``host`` or ``namespace/host`` (``./`` and ``*/`` are resolved).
    """

    gateway: str
    namespace: str
    name: str
    port: int
    port_name: str
    target: int
    protocol: Protocol
    hosts: tuple[str, ...]
    tls: Mapping[str, Any] | None
    bind: str = ""
    granted: bool = False

    @property
    def terminates_tls(self) -> bool:
        """Whether the gateway decrypts (``httpsRedirect`` alone is not TLS)."""
        return self.is_tls and self.mode not in PASSTHROUGH_MODES

    @property
    def is_tls(self) -> bool:
        """Whether clients speak TLS on this server."""
        return self.tls is not None and self.protocol in (Protocol.HTTPS, Protocol.TLS)

    @property
    def mode(self) -> str:
        return str((self.tls or {}).get("mode") or "PASSTHROUGH")

    @property
    def redirects(self) -> bool:
        return bool((self.tls or {}).get("httpsRedirect"))

    @property
    def http(self) -> bool:
        """Whether requests (not connections) are routed."""
        return self.protocol.http or (self.protocol is Protocol.HTTPS and self.terminates_tls)

    @property
    def route(self) -> str:
        """The RDS name; "" for servers that route connections."""
        bind = f".{self.bind}" if self.bind else ""
        if self.protocol.http:
            return f"http.{self.target}{bind}"
        if not self.http:
            return ""
        namespace, name = self.gateway.split("/", 1)
        return f"https.{self.port}.{self.port_name}.{name}.{namespace}{bind}"

    def sni(self) -> list[str]:
        """Server names that select this server."""
        return sorted({one.split("/", 1)[-1] for one in self.hosts})

    def hosts_for(self, namespace: str) -> list[str]:
        """The hosts that VirtualServices of a namespace may bind to."""
        result = []
        for host in self.hosts:
            owner, _, name = host.rpartition("/")
            if owner in ("", namespace):
                result.append(name)
        return result


@dataclass(frozen=True, slots=True, eq=False)
class Listener:
    """All servers of one port: either plain HTTP ones together, or TLS ones told apart by server
    name, or one TCP.
    """

    port: int
    servers: list[Server] = field(default_factory=list)


def select(snapshot: Snapshot, proxy: Proxy) -> tuple[Config, ...]:
    """The Gateways whose selector matches the proxy, oldest first."""
    labels = proxy.workload.labels.items()
    own = {(one.namespace, one.hostname) for one in inbound.services(snapshot, proxy.workload)}
    return tuple(
        one
        for one in snapshot.gateways
        if (
            not own.isdisjoint(_bound(one))
            if SERVICE in one.annotations
            else (one.spec.get("selector") or {}).items() <= labels
        )
    )


def _bound(config: Config) -> list[tuple[str, str]]:
    """The services whose pods open a converted Gateway."""
    return [(config.namespace, one) for one in config.annotations[SERVICE].split(",")]


def _targets(config: Config, proxy: Proxy, snapshot: Snapshot) -> Mapping[int, int]:
    """The proxy's port for each port of the services that a converted Gateway is bound to."""
    bound = _bound(config)
    return {
        port.number: inbound.container_port(port, proxy.workload)
        for service in inbound.services(snapshot, proxy.workload)
        if (service.namespace, service.hostname) in bound
        for port in service.ports
    }


def merge(configs: Sequence[Config], proxy: Proxy, snapshot: Snapshot) -> list[Listener]:
    """The listeners of a gateway proxy by port."""
    listeners: dict[int, Listener] = {}
    own = {found.service_port: found.number for found in inbound.targets(snapshot, proxy)}
    for config in configs:
        bound = SERVICE in config.annotations
        targets = _targets(config, proxy, snapshot) if bound else own
        for spec in config.spec.get("servers") or []:
            server = _server(config, spec, targets)
            if server is None or (bound and server.port not in targets):
                continue
            known = listeners.setdefault(server.target, Listener(server.target))
            if _fits(known, server):
                known.servers.append(server)
    return [one for _, one in sorted(listeners.items()) if one.servers]


def _server(config: Config, spec: Mapping[str, Any], targets: Mapping[int, int]) -> Server | None:
    port = spec.get("port") or {}
    number = int(port.get("number") or 0)
    if not number:
        return None
    return Server(
        gateway=f"{config.namespace}/{config.name}",
        namespace=config.namespace,
        name=spec.get("name") or "",
        port=number,
        port_name=port.get("name") or "",
        target=targets.get(number, number),
        protocol=protocols.parse(port.get("protocol") or ""),
        hosts=tuple(_host(one, config.namespace) for one in spec.get("hosts") or []),
        tls=spec.get("tls"),
        bind=spec.get("bind") or "",
        granted=SERVICE in config.annotations,
    )


def _host(text: str, namespace: str) -> str:
    owner, _, name = text.lower().rpartition("/")
    if owner in ("", "*"):
        return name
    return f"{namespace if owner == '.' else owner}/{name}"


def _fits(listener: Listener, server: Server) -> bool:
    """Whether a server can share the port: HTTP with HTTP, TLS with TLS under other server names."""
    if not listener.servers:
        return True
    first = listener.servers[0]
    if first.is_tls and server.is_tls:
        taken = {name for one in listener.servers for name in one.sni()}
        routes = {one.route for one in listener.servers if one.route}
        return taken.isdisjoint(server.sni()) and server.route not in routes
    return first.protocol.http and server.protocol.http


def common_hosts(server_hosts: Sequence[str], rule_hosts: Sequence[str]) -> list[str]:
    """The names that both cover, the more specific of each pair, in order and without repetition."""
    result: dict[str, None] = {}
    for left in server_hosts:
        for right in rule_hosts:
            if hosts.within(right, left):
                result[right] = None
            elif hosts.within(left, right):
                result[left] = None
    return list(result)
