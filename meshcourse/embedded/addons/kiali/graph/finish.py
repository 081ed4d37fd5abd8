"""What completes a map: idle and dead nodes, roots, outsiders, health, the service graph. Pure.

Source: Kiali's appenders of these names.
"""

from __future__ import annotations

from collections.abc import Collection

from meshcourse.embedded.addons.kiali import health
from meshcourse.embedded.addons.kiali import mesh as meshes
from meshcourse.embedded.addons.kiali.graph import model
from meshcourse.embedded.addons.kiali.graph.model import Edge, Node, Place, TrafficMap
from meshcourse.embedded.addons.kiali.health import Requests
from meshcourse.embedded.addons.kiali.mesh import Mesh
from meshcourse.embedded.addons.kiali.options import Options


def fold_anonymous(nodes: TrafficMap) -> None:
    """Traffic of nobody that came with mutual TLS is the same that a source reports under its name.

    Who sends bare TCP is not told to the destination's proxy here; but mutual TLS needs a proxy at the other end,
    and that one has counted it, too.
    """
    for node in [one for one in nodes.values() if one.type == "unknown"]:
        node.edges = [edge for edge in node.edges if not _folded(edge, nodes)]
        node.rates["tcpOut"] = sum(edge.rates.get("tcp", 0.0) for edge in node.edges)
        if not node.edges:
            del nodes[node.key]


def _folded(edge: Edge, nodes: TrafficMap) -> bool:
    """Hand the lock of an edge on to those with a known source; whether there are any."""
    if edge.protocol != "tcp" or "isMTLS" not in edge.marks:
        return False
    named = [
        other
        for node in nodes.values()
        for other in node.edges
        if other.target is edge.target and other.protocol == "tcp" and node.type != "unknown"
    ]
    for other in named:
        other.marks.setdefault("isMTLS", edge.marks["isMTLS"])
    if named:
        edge.target.rates["tcpIn"] = sum(other.rates.get("tcp", 0.0) for other in named)
    return bool(named)


def add_idle(nodes: TrafficMap, namespace: str, mesh: Mesh, options: Options) -> None:
    """Services and workloads without traffic."""
    places: list[Place] = []
    if options.inject_services:
        names = [name for space, name in mesh.services if space == namespace]
        places += [Place(meshes.CLUSTER, namespace, name, "", "", "", "") for name in names]
    if options.graph_type != "service":
        places += [_place(one) for one in mesh.workloads_of(namespace)]
    for place in places:
        key, kind = model.identify(place, options.graph_type)
        if key not in nodes:
            nodes[key] = model.make(key, kind, place, options.graph_type)
            nodes[key].marks["isIdle"] = True


def _place(one: meshes.Workload) -> Place:
    version = meshes.version_of(one.labels) or model.UNKNOWN
    return Place(meshes.CLUSTER, "", "", one.namespace, one.name, one.app or model.UNKNOWN, version)


def remove_dead(nodes: TrafficMap, mesh: Mesh) -> None:
    """Drop what has no traffic and is not there any more; mark workloads without pods."""
    while dead := [key for key, node in nodes.items() if _dead(node, mesh)]:
        for key in dead:
            del nodes[key]
        for node in nodes.values():
            node.edges = [edge for edge in node.edges if edge.target.key in nodes]


def _dead(node: Node, mesh: Mesh) -> bool:
    if any(node.rates.get(f"{name}{way}") for name in model.PROTOCOLS for way in ("In", "Out")):
        return False
    if node.type == "service":
        return not node.edges and node.service not in (model.PASSTHROUGH, model.BLACK_HOLE)
    if node.type == "unknown":
        return True
    if not model.ok(node.workload):
        return False
    found = mesh.workloads.get((node.namespace, node.workload))
    if found is not None and found.pods == 0:
        node.marks["isDead"] = True
    return found is None


def mark(nodes: TrafficMap, asked: Collection[str], mesh: Mesh) -> None:
    """``isRoot``, ``isOutside``, ``isInaccessible``, ``isOutOfMesh``."""
    targets = {edge.target.key for node in nodes.values() for edge in node.edges}
    for key, node in nodes.items():
        if node.edges and key not in targets:
            node.marks["isRoot"] = True
        if node.namespace not in asked and node.namespace != model.UNKNOWN:
            node.marks["isOutside"] = True
        if node.type == "unknown" or node.namespace not in mesh.namespaces:
            node.marks["isInaccessible"] = True
        workload = mesh.workloads.get((node.namespace, node.workload))
        if workload and not workload.sidecar and not workload.gateway:
            node.marks["isOutOfMesh"] = True


def reduce_to_services(nodes: TrafficMap) -> TrafficMap:
    """The service graph: workloads go, their calls are their services'; roots stay."""
    kept = {
        key: node
        for key, node in nodes.items()
        if node.type == "service"
        or (node.marks.get("isRoot") and any(e.target.type == "service" for e in node.edges))
    }
    shortened = {key: _service_edges(node) for key, node in kept.items()}
    for key, node in kept.items():
        node.edges = shortened[key]
        for protocol in model.PROTOCOLS:
            node.rates.pop(f"{protocol}Out", None)
        for edge in node.edges:
            node.count([f"{edge.protocol}Out"], edge.rates.get(edge.protocol, 0.0))
    return kept


def _service_edges(node: Node) -> list[Edge]:
    direct = [edge for edge in node.edges if edge.target.type == "service"]
    if node.type != "service":
        return direct
    found: dict[tuple[str, str], Edge] = {}
    for to_workload in node.edges:
        for edge in to_workload.target.edges:
            if edge.target.type != "service":
                continue
            key = (edge.target.key, edge.protocol)
            joined = found.setdefault(key, Edge(node, edge.target, edge.protocol))
            _join(joined, edge)
    return list(found.values())


def _join(into: Edge, edge: Edge) -> None:
    for name, value in edge.rates.items():
        into.count([name], value)
    for code, detail in edge.responses.items():
        known = into.responses.setdefault(code, model.Responses())
        for mine, theirs in ((known.flags, detail.flags), (known.hosts, detail.hosts)):
            for name, value in theirs.items():
                mine[name] = mine.get(name, 0.0) + value
    for name, text in edge.marks.items():
        into.marks.setdefault(name, text)


def add_health(nodes: TrafficMap, mesh: Mesh) -> None:
    """``healthStatus`` of edges and ``healthData`` of nodes, from the traffic of this graph."""
    inbound: dict[str, Requests] = {}
    outbound: dict[str, Requests] = {}
    for node in nodes.values():
        for edge in node.edges:
            codes = {code: sum(one.flags.values()) for code, one in edge.responses.items()}
            if edge.protocol != "tcp" and any(codes.values()):
                edge.marks["healthStatus"] = health.of_codes(edge.protocol, codes)[0]
            elif edge.rates:
                edge.marks["healthStatus"] = "Healthy"
            _tally(outbound.setdefault(node.key, {}), edge.protocol, codes)
            _tally(inbound.setdefault(edge.target.key, {}), edge.protocol, codes)
    for key, node in nodes.items():
        node.marks["healthData"] = _node_health(
            node, inbound.get(key, {}), outbound.get(key, {}), mesh
        )


def _tally(requests: Requests, protocol: str, codes: dict[str, float]) -> None:
    known = requests.setdefault(protocol, {})
    for code, rate in codes.items():
        known[code] = known.get(code, 0.0) + rate


def _node_health(node: Node, inbound: Requests, outbound: Requests, mesh: Mesh) -> object:
    if node.type == "unknown":
        return None
    if node.type == "service":
        return health.service(inbound, outbound)
    if node.type == "workload":
        found = mesh.workloads.get((node.namespace, node.workload))
        return health.workload(inbound, outbound, found.status() if found else None)
    members = mesh.apps_of(node.namespace).get(node.app, [])
    chosen = [one for one in members if node.workload in ("", one.name)]
    return health.app(inbound, outbound, [one.status() for one in chosen])
