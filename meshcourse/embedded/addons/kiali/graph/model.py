"""Nodes, edges and their rates, and how a node gets its identity.

Source: Kiali's graph types (workload, app, versionedApp, service) and node types.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

UNKNOWN: Final = "unknown"
PASSTHROUGH: Final = "PassthroughCluster"
BLACK_HOLE: Final = "BlackHoleCluster"
#: In the order in which a node lists its traffic.
PROTOCOLS: Final = ("grpc", "http", "tcp")
#: Rates of an edge that count as errors, by protocol.
ERROR_RATES: Final = {
    "grpc": ("grpcNoResponse", "grpcErr"),
    "http": ("httpNoResponse", "http4xx", "http5xx"),
    "tcp": (),
}
EDGE_RATES: Final = {
    "grpc": ("grpc", "grpcNoResponse", "grpcErr"),
    "http": ("http", "httpNoResponse", "http3xx", "http4xx", "http5xx"),
    "tcp": ("tcp",),
}
NODE_RATES: Final = {
    "grpc": ("grpcIn", "grpcInNoResponse", "grpcInErr", "grpcOut"),
    "http": ("httpIn", "httpInNoResponse", "httpIn3xx", "httpIn4xx", "httpIn5xx", "httpOut"),
    "tcp": ("tcpIn", "tcpOut"),
}


class GraphError(ValueError):
    """A series that names neither a workload nor an app nor a service."""


class Place(NamedTuple):
    """One end of a series, as its labels say."""

    cluster: str
    service_namespace: str
    service: str
    workload_namespace: str
    workload: str
    app: str
    version: str

    @property
    def namespace(self) -> str:
        return self.workload_namespace if ok(self.workload_namespace) else self.service_namespace


def ok(value: str) -> bool:
    """Whether a label says something."""
    return value not in ("", UNKNOWN)


def identify(place: Place, graph_type: str) -> tuple[str, str]:
    """The key of the node for `place` and the node's type. :raises GraphError:"""
    cluster, namespace, service = place.cluster, place.namespace, place.service
    if (namespace, place.workload, place.app, service) == (UNKNOWN, UNKNOWN, UNKNOWN, ""):
        return f"{cluster}_unknown_source", "unknown"
    if place.workload == place.app == service == UNKNOWN:
        return f"svc_{cluster}_{namespace}_unknown", "service"
    if not (ok(place.workload) or ok(place.app) or ok(service)):
        raise GraphError(f"neither workload nor app nor service: {place}")
    if graph_type in ("app", "versionedApp") and ok(place.app):
        return _identify_app(place, graph_type), "app"
    if ok(place.workload):
        return f"wl_{cluster}_{namespace}_{place.workload}", "workload"
    return f"svc_{cluster}_{namespace}_{service if ok(service) else UNKNOWN}", "service"


def _identify_app(place: Place, graph_type: str) -> str:
    start = f"{place.cluster}_{place.namespace}"
    if graph_type == "versionedApp" and ok(place.workload):
        return f"vapp_{start}_{place.workload}"
    if graph_type == "versionedApp" and ok(place.version) and place.version != "latest":
        return f"vapp_{start}_{place.app}_{place.version}"
    return f"app_{start}_{place.app}"


@dataclass(slots=True)
class Responses:
    """How much of one response code came with which flags and for which host (rates)."""

    flags: dict[str, float] = field(default_factory=dict)
    hosts: dict[str, float] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class Edge:
    """Traffic of one protocol between two nodes; rates are per second."""

    source: Node
    target: Node
    protocol: str
    rates: dict[str, float] = field(default_factory=dict)
    responses: dict[str, Responses] = field(default_factory=dict)
    #: Series already counted: source and destination report the same requests.
    seen: set[tuple[object, ...]] = field(default_factory=set)
    #: Further fields of the JSON: isMTLS, responseTime, throughput, principals, healthStatus.
    marks: dict[str, str] = field(default_factory=dict)

    def add(self, code: str, flags: str, host: str, value: float) -> None:
        """Count `value` requests (or bytes) per second."""
        if value <= 0:
            return
        self.count(_edge_rates(self.protocol, code), value)
        found = self.responses.setdefault(code or "-", Responses())
        if flags:
            found.flags[flags] = found.flags.get(flags, 0.0) + value
        if host:
            found.hosts[host] = found.hosts.get(host, 0.0) + value

    def count(self, names: Iterable[str], value: float) -> None:
        for name in names:
            self.rates[name] = self.rates.get(name, 0.0) + value


@dataclass(slots=True, eq=False)
class Node:
    """A node and its outgoing edges."""

    key: str
    type: str
    cluster: str
    namespace: str
    workload: str = ""
    app: str = ""
    version: str = ""
    service: str = ""
    edges: list[Edge] = field(default_factory=list)
    rates: dict[str, float] = field(default_factory=dict)
    destinations: set[tuple[str, str, str]] = field(default_factory=set)
    #: Further fields of the JSON: isRoot, isIdle, hasVS, healthData …
    marks: dict[str, Any] = field(default_factory=dict)

    def edge_to(self, target: Node, protocol: str) -> Edge:
        """The edge to `target`, new if there is none."""
        for edge in self.edges:
            if edge.target is target and edge.protocol == protocol:
                return edge
        self.edges.append(Edge(self, target, protocol))
        return self.edges[-1]

    def count(self, names: Iterable[str], value: float) -> None:
        for name in names:
            self.rates[name] = self.rates.get(name, 0.0) + value


#: All nodes of a graph by their key.
TrafficMap = dict[str, Node]


def make(key: str, kind: str, place: Place, graph_type: str) -> Node:
    """A node for `place` with the fields that its type carries."""
    node = Node(key, kind, place.cluster, place.namespace)
    if kind == "service":
        node.service = place.service
        return node
    node.workload, node.app, node.version = place.workload, place.app, place.version
    if kind == "app" and graph_type != "versionedApp":
        node.workload = node.version = ""
    if kind == "workload":
        node.app, node.version = (
            value if ok(value) else "" for value in (place.app, place.version)
        )
    return node


def node_for(nodes: TrafficMap, place: Place, graph_type: str) -> Node:
    """The node for `place`, new if there is none. :raises GraphError:"""
    key, kind = identify(place, graph_type)
    if key not in nodes:
        nodes[key] = make(key, kind, place, graph_type)
    return nodes[key]


def transfer(edge: Edge, code: str, flags: str, host: str, value: float) -> None:
    """Count traffic on the edge and on both of its nodes."""
    if value <= 0:
        return
    edge.add(code, flags, host, value)
    edge.source.count([f"{edge.protocol}Out"], value)
    edge.target.count(_incoming_rates(edge.protocol, code), value)


def _class(protocol: str, code: str) -> str:
    """The suffix of the rate that a response code counts for besides the total."""
    if protocol == "tcp":
        return ""
    if code == "-":
        return "NoResponse"
    if protocol == "grpc":
        failed = code[:1] in "45" if len(code) == 3 else code not in ("0", "")
        return "Err" if failed else ""
    return f"{code[0]}xx" if code[:1] in ("3", "4", "5") else ""


def _edge_rates(protocol: str, code: str) -> list[str]:
    suffix = _class(protocol, code)
    return [protocol, f"{protocol}{suffix}"] if suffix else [protocol]


def _incoming_rates(protocol: str, code: str) -> list[str]:
    suffix = _class(protocol, code)
    return [f"{protocol}In", f"{protocol}In{suffix}"] if suffix else [f"{protocol}In"]
