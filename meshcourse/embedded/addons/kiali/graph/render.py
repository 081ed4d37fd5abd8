"""A traffic map as Kiali's JSON. Pure.

Source: Kiali's graph API (``elements.nodes[].data``, ``elements.edges[].data``); rates are strings.
"""

from __future__ import annotations

import hashlib
from typing import Any, Final

from meshcourse.embedded.addons.kiali.graph import model
from meshcourse.embedded.addons.kiali.graph.model import Edge, Node, TrafficMap
from meshcourse.embedded.addons.kiali.options import Options

Json = dict[str, Any]
_RANK: Final = {"cluster": 0, "namespace": 1, "app": 2}


def config(nodes: TrafficMap, options: Options, timestamp: int) -> Json:
    """The whole answer; `timestamp` in seconds since the epoch."""
    rendered = [_node(node) for node in nodes.values()]
    edges = [_edge(edge) for node in nodes.values() for edge in node.edges]
    if "app" in options.box_by or options.graph_type in ("app", "versionedApp"):
        _box(rendered, "app")
    for kind in ("namespace", "cluster"):
        if kind in options.box_by:
            _box(rendered, kind)
    rendered.sort(key=_order)
    edges.sort(key=lambda one: (one["source"], one["target"], one["traffic"].get("protocol", "")))
    return {
        "timestamp": timestamp,
        "duration": options.duration,
        "graphType": options.graph_type,
        "elements": {
            "nodes": [{"data": one} for one in rendered],
            "edges": [{"data": one} for one in edges],
        },
    }


def rate_text(value: float) -> str:
    """Two decimals, or as many (up to five) as the first significant digit needs."""
    digits = 0
    scaled = value
    while 0 < scaled < 1 and digits < 5:
        scaled, digits = scaled * 10, digits + 1
    return f"{value:.{max(2, digits)}f}"


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _order(one: Json) -> tuple[object, ...]:
    names = ("cluster", "namespace", "app", "version", "service", "workload")
    return (_RANK.get(one.get("isBox", ""), 3), *(one.get(name, "") for name in names))


def _node(node: Node) -> Json:
    found: Json = {
        "id": _hash(node.key),
        "nodeType": node.type,
        "cluster": node.cluster,
        "namespace": node.namespace,
    }
    for name in ("workload", "app", "version", "service"):
        if value := getattr(node, name):
            found[name] = value
    if node.destinations:
        found["destServices"] = [
            {"cluster": cluster, "namespace": namespace, "name": name}
            for cluster, namespace, name in sorted(node.destinations)
        ]
    if traffic := [one for one in map(_traffic_of(node), model.PROTOCOLS) if one]:
        found["traffic"] = traffic
    return {"healthData": None, **found, **node.marks}


def _traffic_of(node: Node) -> Any:
    def of(protocol: str) -> Json | None:
        rates = {
            name: rate_text(node.rates[name])
            for name in model.NODE_RATES[protocol]
            if node.rates.get(name, 0.0) > 0
        }
        return {"protocol": protocol, "rates": rates} if rates else None

    return of


def _edge(edge: Edge) -> Json:
    source, target = _hash(edge.source.key), _hash(edge.target.key)
    return {
        "id": _hash(f"{source}.{target}.{edge.protocol}"),
        "source": source,
        "target": target,
        "traffic": _edge_traffic(edge),
        **edge.marks,
    }


def _edge_traffic(edge: Edge) -> Json:
    total = edge.rates.get(edge.protocol, 0.0)
    if total <= 0:
        return {"protocol": edge.protocol}
    names = model.EDGE_RATES[edge.protocol]
    rates = {name: rate_text(edge.rates[name]) for name in names if edge.rates.get(name, 0) > 0}
    bad = sum(edge.rates.get(name, 0.0) for name in model.ERROR_RATES[edge.protocol])
    sent = edge.source.rates.get(f"{edge.protocol}Out", 0.0)
    if bad > 0:
        rates[f"{edge.protocol}PercentErr"] = f"{bad / total * 100:.1f}"
    if edge.protocol != "tcp" and sent > 0:
        rates[f"{edge.protocol}PercentReq"] = f"{total / sent * 100:.1f}"
    responses = {
        code: {
            "flags": {name: f"{rate / total * 100:.1f}" for name, rate in detail.flags.items()},
            "hosts": {name: f"{rate / total * 100:.1f}" for name, rate in detail.hosts.items()},
        }
        for code, detail in edge.responses.items()
    }
    return {"protocol": edge.protocol, "rates": rates, "responses": responses}


def _box(nodes: list[Json], kind: str) -> None:
    """Put nodes that belong together under a parent."""
    groups: dict[str, list[Json]] = {}
    for one in nodes:
        if key := _box_key(one, kind):
            groups.setdefault(key, []).append(one)
    if kind != "app" and len(groups) < 2:
        return
    nodes += [_box_of(key, kind, members) for key, members in groups.items() if len(members) > 1]


def _box_key(one: Json, kind: str) -> str:
    if kind == "app":
        named = model.ok(one.get("app", ""))
        return f"box_{one['cluster']}_{one['namespace']}_{one['app']}" if named else ""
    if one.get("parent"):
        return ""
    if kind == "namespace":
        known = one["namespace"] != model.UNKNOWN
        return f"box_{one['cluster']}_{one['namespace']}" if known else ""
    return f"box_{one['cluster']}" if one["cluster"] != model.UNKNOWN else ""


def _box_of(key: str, kind: str, members: list[Json]) -> Json:
    first = members[0]
    found: Json = {
        "id": _hash(key),
        "nodeType": "box",
        "cluster": first["cluster"],
        "namespace": first["namespace"] if kind != "cluster" else "",
        "isBox": kind,
        "healthData": None,
    }
    if kind == "app":
        apps = (one["healthData"] for one in members if one["nodeType"] == "app")
        found |= {"app": first["app"], "healthData": next(apps, None)}
        for mark in ("isOutOfMesh", "isInaccessible", "isOutside"):
            if any(one.get(mark) for one in members):
                found[mark] = True
    for one in members:
        one["parent"] = found["id"]
    return found
