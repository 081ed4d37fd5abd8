"""A client of Kiali's HTTP API, real or stand-in: the service graph, health and validations as values.

Source: kiali.io, Kiali's HTTP API and validation reference.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from meshcourse.observe import web
from meshcourse.observe.web import AddonError

#: Shares of failed requests from which Kiali calls an edge degraded and failing (its defaults for 5xx).
DEGRADED, FAILING = 0.001, 0.10
_BADGES = {
    "hasVS": "virtual service",
    "hasCB": "circuit breaker",
    "hasFaultInjection": "fault injection",
    "hasTrafficShifting": "traffic shifting",
    "hasRequestRouting": "request routing",
    "hasRequestTimeout": "timeout",
    "hasMirroring": "mirroring",
    "hasMissingSC": "no sidecar",
    "isOutOfMesh": "outside the mesh",
    "isServiceEntry": "service entry",
}
_APPENDERS = "deadNode,idleNode,istio,responseTime,securityPolicy,serviceEntry,healthConfig"


@dataclass(frozen=True, slots=True)
class Node:
    """One node of the graph.

    :param kind: ``app``, ``workload``, ``service`` or ``unknown`` (traffic from outside the mesh).
    :param badges: what rules there are for it, in Kiali's words (``virtual service``, ``circuit breaker`` …).
    """

    id: str
    kind: str
    name: str
    version: str = ""
    namespace: str = ""
    root: bool = False
    idle: bool = False
    badges: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        return f"{self.name} {self.version}".strip()


@dataclass(frozen=True, slots=True)
class Edge:
    """Traffic between two nodes.

    :param rate: requests (TCP: bytes) per second over the graph's duration.
    :param failed: the share of them that failed (5xx, gRPC errors, no answer).
    :param mtls: percent of them that were sent with mutual TLS.
    :param milliseconds: the response time, None if not known.
    :param codes: percent of the traffic by response code.
    :param principals: who proved to be at either end ("" if nobody did).
    """

    source: Node
    target: Node
    protocol: str
    rate: float
    failed: float = 0.0
    mtls: float = 0.0
    milliseconds: float | None = None
    codes: dict[str, float] = field(default_factory=dict)
    principals: tuple[str, str] = ("", "")

    @property
    def state(self) -> str:
        """``healthy``, ``degraded`` or ``failing``: what gives the edge its colour."""
        if self.failed >= FAILING:
            return "failing"
        return "degraded" if self.failed >= DEGRADED else "healthy"

    def __str__(self) -> str:
        unit = "B/s" if self.protocol == "tcp" else "req/s"
        parts = [f"{self.source.label} → {self.target.label}: {self.rate:.2f} {unit}"]
        parts += [f"{self.failed:.0%} failed"] if self.failed else []
        parts += ["mTLS"] if self.mtls >= 99.5 else []
        return ", ".join([*parts, self.state])


@dataclass(frozen=True)
class Graph:
    """The service graph over the last `seconds`."""

    seconds: float
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]

    def between(self, source: str, target: str) -> list[Edge]:
        """The edges between two names; a name stands for all versions: ``between("productpage", "reviews")``."""

        def named(node: Node, wanted: str) -> bool:
            return wanted in (node.name, node.label)

        return [
            edge for edge in self.edges if named(edge.source, source) and named(edge.target, target)
        ]

    def rate(self, source: str, target: str) -> float:
        """Requests per second between two names, 0 without an edge."""
        return sum(edge.rate for edge in self.between(source, target))

    def __repr__(self) -> str:
        if not self.edges:
            return f"no traffic in the last {self.seconds:.0f} s: send some and look again"
        return "\n".join(map(str, sorted(self.edges, key=str)))


@dataclass(frozen=True, slots=True)
class Remark:
    """One thing that Kiali has to say about an object."""

    kind: str
    name: str
    namespace: str
    code: str
    severity: str
    message: str
    path: str


@dataclass(frozen=True)
class Remarks:
    """What Kiali has to say about the Istio objects of a namespace."""

    found: tuple[Remark, ...]
    objects: int

    def __iter__(self) -> Iterator[Remark]:
        return iter(self.found)

    def __len__(self) -> int:
        return len(self.found)

    @property
    def codes(self) -> list[str]:
        """The codes, sorted, each once: ``["KIA0203", "KIA1107"]``."""
        return sorted({remark.code for remark in self.found})

    def __repr__(self) -> str:
        if not self.found:
            return f"{self.objects} objects, nothing to remark"
        return "\n".join(
            f"{remark.code} {remark.severity}: {remark.kind} {remark.name}: {remark.message} ({remark.path})"
            for remark in self.found
        )

    def _repr_html_(self) -> str:
        if not self.found:
            return f"<i>{html.escape(repr(self))}</i>"
        head = "".join(f"<th style='text-align:left'>{cell}</th>" for cell in _HEAD)
        return f"<table><tr>{head}</tr>{''.join(map(_remark_row, self.found))}</table>"


_HEAD = ("code", "severity", "object", "what", "where")


class Kiali:
    """One Kiali.

    :param base: its URL with its path prefix, looked up again for each question.
    """

    def __init__(self, base: Callable[[], str]) -> None:
        self._base = base

    def graph(
        self,
        namespaces: Sequence[str] = ("default",),
        *,
        seconds: float = 60.0,
        kind: str = "versionedApp",
        idle: bool = False,
        at: float | None = None,
    ) -> Graph:
        """Who called whom.

        :param kind: ``versionedApp``, ``workload``, ``app`` or ``service``.
        :param idle: with edges that had traffic once but not in this time.
        :param at: up to this moment, in whole seconds since the epoch (default: now).
        :raises AddonError: in Kiali's words, if it refuses.
        """
        params = {
            "namespaces": ",".join(namespaces),
            "duration": f"{seconds:.0f}s",
            "graphType": kind,
            "appenders": _APPENDERS,
            "responseTime": "avg",
            "includeIdleEdges": str(idle).lower(),
            **({"queryTime": f"{at:.0f}"} if at is not None else {}),
        }
        return _graph(self._ask("/api/namespaces/graph", params), seconds)

    def remarks(self, namespace: str = "default") -> Remarks:
        """Its validations of the Istio objects of a namespace."""
        answer = self._ask(f"/api/namespaces/{namespace}/istio", {"validate": "true"})
        return _remarks(answer.get("validations") or {})

    def namespaces(self) -> list[str]:
        """The namespaces it sees, sorted."""
        return sorted(item["name"] for item in self._ask("/api/namespaces", {}))

    def status(self) -> dict[str, Any]:
        """Its own version and what it is connected to."""
        found = self._ask("/api/status", {})
        if not isinstance(found, dict):
            raise AddonError("Kiali: /api/status is not an object")
        return found

    def _ask(self, path: str, params: dict[str, str]) -> Any:
        return web.get("Kiali", f"{self._base()}{path}", params)


def _graph(answer: Any, seconds: float) -> Graph:
    elements = answer.get("elements") or {}
    nodes = {
        node.id: node
        for each in elements.get("nodes") or []
        if not each["data"].get("isBox")
        for node in [_node(each["data"])]
    }
    edges = [_edge(each["data"], nodes) for each in elements.get("edges") or []]
    return Graph(seconds, tuple(nodes.values()), tuple(edges))


def _node(data: Any) -> Node:
    kind = data.get("nodeType", "unknown")
    named = {"service": "service", "workload": "workload"}.get(kind, "app")
    name = data.get(named) or data.get("app") or data.get("workload") or data.get("service")
    return Node(
        data["id"],
        kind,
        name or "unknown",
        data.get("version", "") if kind == "app" else "",
        data.get("namespace", ""),
        bool(data.get("isRoot")),
        bool(data.get("isIdle")),
        tuple(words for mark, words in _BADGES.items() if data.get(mark)),
    )


def _edge(data: Any, nodes: dict[str, Node]) -> Edge:
    traffic = data.get("traffic") or {}
    protocol = traffic.get("protocol", "")
    rates = {name: float(value) for name, value in (traffic.get("rates") or {}).items()}
    total = rates.get(protocol, 0.0)
    bad = rates.get("http5xx", 0.0) + rates.get("httpNoResponse", 0.0)
    bad += rates.get("grpcErr", 0.0) + rates.get("grpcNoResponse", 0.0)
    took = data.get("responseTime")
    return Edge(
        nodes[data["source"]],
        nodes[data["target"]],
        protocol,
        total,
        bad / total if total else 0.0,
        float(data.get("isMTLS") or 0.0),
        float(took) if took is not None else None,
        {code: _percent(each) for code, each in (traffic.get("responses") or {}).items()},
        (data.get("sourcePrincipal", ""), data.get("destPrincipal", "")),
    )


def _percent(response: Any) -> float:
    """The share of a response code: the percentages of its response flags together."""
    return sum(float(value) for value in (response.get("flags") or {}).values())


def _remarks(validations: Any) -> Remarks:
    found = []
    count = 0
    for gvk, objects in validations.items():
        for key, each in objects.items():
            count += 1
            name, _, namespace = key.rpartition(".")
            kind = gvk.rpartition("Kind=")[2]
            found += [
                Remark(kind, name, namespace, *_said(check)) for check in each.get("checks") or []
            ]
    return Remarks(tuple(sorted(found, key=lambda remark: (remark.name, remark.code))), count)


def _said(check: Any) -> tuple[str, str, str, str]:
    message = str(check.get("message", ""))
    code = str(check.get("code") or message.partition(" ")[0])
    text = message.removeprefix(code).strip(" :")
    return code, str(check.get("severity", "")), text, str(check.get("path", ""))


def _remark_row(remark: Remark) -> str:
    cells = (
        remark.code, remark.severity, f"{remark.kind} {remark.name}", remark.message, remark.path
    )  # fmt: skip
    return (
        "<tr>"
        + "".join(f"<td style='text-align:left'>{html.escape(cell)}</td>" for cell in cells)
        + "</tr>"
    )
