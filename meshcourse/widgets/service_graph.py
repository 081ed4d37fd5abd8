"""The service graph as Kiali knows it, in layers from left to right: who calls whom, how often, how well."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from meshcourse.observe.kiali import Edge, Graph, Node
from meshcourse.widgets import svg
from meshcourse.widgets.picture import Picture, Table

COLOURS = {"healthy": svg.OUT, "degraded": svg.LATE, "failing": svg.FAILED}
#: Percent of requests from which an edge counts as encrypted.
ENCRYPTED = 99.5
_WIDTH, _HEIGHT, _GAP_X, _GAP_Y = 146, 44, 150, 28


@dataclass(frozen=True, repr=False)
class View(Picture):
    """The picture, and the graph behind it."""

    graph: Graph

    def details(self, name: str) -> Table | None:
        """What is known of a node or an edge: ``details("reviews v1")``, ``details("reviews v1 → ratings v1")``.

        :returns: None if there is no such thing (any more).
        """
        return details(self.graph, name)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a node stands: its upper left corner."""

    x: float
    y: float


def draw(graph: Graph) -> View:
    """The picture and the same in words."""
    shown = visible(graph)
    if not shown:
        words = repr(graph)
        return View(svg.page(560, 60, svg.text(280, 34, words, fill=svg.LINE)), words, graph)
    places = layout(shown, graph.edges)
    width = max(place.x for place in places.values()) + _WIDTH + 12
    height = max(place.y for place in places.values()) + _HEIGHT + 34
    parts = [svg.pickable(_name(edge), _edge(edge, places)) for edge in graph.edges]
    parts += [svg.pickable(_name(edge), _label(edge, graph, places)) for edge in graph.edges]
    parts += [svg.pickable(node.label, _node(node, places[node.id])) for node in shown]
    parts.append(_legend(height))
    return View(svg.page(width, height, *parts, title="service graph"), repr(graph), graph)


def _name(edge: Edge) -> str:
    return f"{edge.source.label} → {edge.target.label}"


def details(graph: Graph, name: str) -> Table | None:
    """A table of what Kiali says of a node or an edge, by its label."""
    edges = [edge for edge in graph.edges if _name(edge) == name]
    if edges:
        return Table((name, ""), [row for edge in edges for row in _edge_rows(edge)])
    nodes = [node for node in visible(graph) if node.label == name]
    if not nodes:
        return None
    node = nodes[0]
    rows = [("is", f"{node.kind} in {node.namespace or 'no namespace'}")]
    rows += [("rules", ", ".join(node.badges))] if node.badges else []
    rows += [(f"from {e.source.label}", _words(e)) for e in graph.edges if e.target.id == node.id]
    rows += [(f"to {e.target.label}", _words(e)) for e in graph.edges if e.source.id == node.id]
    return Table((name, ""), rows)


def _words(edge: Edge) -> str:
    return str(edge).partition(": ")[2]


def _edge_rows(edge: Edge) -> list[tuple[str, str]]:
    took = "not known" if edge.milliseconds is None else f"{edge.milliseconds:.0f} ms on average"
    source, target = (who or "nobody proved it" for who in edge.principals)
    return [
        (edge.protocol, _words(edge)),
        ("answers", ", ".join(f"{code}: {share:.1f} %" for code, share in edge.codes.items())),
        ("response time", took),
        ("mutual TLS", f"{edge.mtls:.0f} % of the requests"),
        ("caller", source),
        ("callee", target),
    ]


def visible(graph: Graph) -> list[Node]:
    """The nodes that have an edge."""
    ends = {node.id for edge in graph.edges for node in (edge.source, edge.target)}
    return [node for node in graph.nodes if node.id in ends]


def layout(nodes: list[Node], edges: tuple[Edge, ...]) -> dict[str, Place]:
    """A column for each number of steps from where traffic comes in; rows by name, each column centred."""
    columns: dict[int, list[Node]] = defaultdict(list)
    steps = depths(nodes, edges)
    for node in nodes:
        columns[steps[node.id]].append(node)
    tallest = max(map(len, columns.values()))
    places = {}
    for depth, members in columns.items():
        above = (tallest - len(members)) * (_HEIGHT + _GAP_Y) / 2
        for row, node in enumerate(sorted(members, key=lambda node: node.label)):
            x = 8 + depth * (_WIDTH + _GAP_X)
            places[node.id] = Place(x, 8 + above + row * (_HEIGHT + _GAP_Y))
    return places


def depths(nodes: list[Node], edges: tuple[Edge, ...]) -> dict[str, int]:
    """The longest way to each node from one that nobody calls; a circle is cut where it is entered."""
    found: dict[str, int] = {node.id: 0 for node in nodes}
    for _ in nodes:
        for edge in edges:
            if edge.source.id != edge.target.id:
                deeper = found[edge.source.id] + 1
                found[edge.target.id] = min(max(found[edge.target.id], deeper), len(nodes) - 1)
    used = sorted(set(found.values()))
    return {node: used.index(depth) for node, depth in found.items()}


def _curve(edge: Edge, places: dict[str, Place]) -> tuple[float, float, float, float]:
    """Where an edge begins and where its arrow begins."""
    start, end = places[edge.source.id], places[edge.target.id]
    return start.x + _WIDTH, start.y + _HEIGHT / 2, end.x - 7, end.y + _HEIGHT / 2


def _edge(edge: Edge, places: dict[str, Place]) -> str:
    x1, y1, x2, y2 = _curve(edge, places)
    middle, colour = (x1 + x2) / 2, COLOURS[edge.state]
    path = f"M{x1:.0f} {y1:.0f}C{middle:.0f} {y1:.0f} {middle:.0f} {y2:.0f} {x2:.0f} {y2:.0f}"
    tip = f"M{x2:.0f} {y2 - 4:.0f}L{x2 + 7:.0f} {y2:.0f}L{x2:.0f} {y2 + 4:.0f}Z"
    return (
        f"<path d='{path}' fill='none' stroke='{colour}' stroke-width='2'/>"
        f"<path d='{tip}' fill='{colour}'/>{_moving(path, edge)}"
    )


def _moving(path: str, edge: Edge) -> str:
    """Dots that run along the edge, the more requests the faster."""
    if edge.rate <= 0:
        return ""
    seconds = min(6.0, max(0.5, 12 / edge.rate))
    run = f"<animate attributeName='stroke-dashoffset' from='20' to='0' dur='{seconds:.1f}s' repeatCount='indefinite'/>"
    style = "fill='none' stroke='#fff' stroke-width='3' stroke-linecap='round' stroke-dasharray='0.1 19.9'"
    return f"<path class='moving' d='{path}' {style}>{run}</path>"


def _label(edge: Edge, graph: Graph, places: dict[str, Place]) -> str:
    """Rate, failures and lock, on the curve: near the side that fewer edges share, so that labels part."""
    x1, y1, x2, y2 = _curve(edge, places)
    siblings = sum(other.source.id == edge.source.id for other in graph.edges)
    rivals = sum(other.target.id == edge.target.id for other in graph.edges)
    at = 0.74 if siblings > rivals else 0.3 if rivals > 1 else 0.5
    bend = (x1 + x2) / 2
    x = (1 - at) ** 3 * x1 + 3 * (1 - at) * at * bend + at**3 * x2
    y = (1 - at) ** 2 * (1 + 2 * at) * y1 + at**2 * (3 - 2 * at) * y2 - 5
    words = f"{edge.rate:.1f}/s" + (f", {edge.failed:.0%} failed" if edge.failed else "")
    lock = _lock(x - 3.2 * len(words) - 9, y) if edge.mtls >= ENCRYPTED else ""
    return _halo(x, y, words, COLOURS[edge.state]) + lock


def _halo(x: float, y: float, words: str, colour: str) -> str:
    """A text that stays readable on lines."""
    back = svg.text(x, y, words, size=10, fill="#fff")
    return back.replace("<text ", "<text stroke='#fff' stroke-width='4' ") + svg.text(
        x, y, words, size=10, fill=colour
    )


def _lock(x: float, y: float) -> str:
    """A small padlock with its lower edge on `y`."""
    bow = f"M{x + 1.5:.1f} {y - 5:.1f}v-1.5a2 2 0 0 1 4 0v1.5"
    return (
        f"<path d='{bow}' fill='none' stroke='{svg.INK}'/>"
        f"<rect class='lock' x='{x:.1f}' y='{y - 5:.1f}' width='7' height='5.5' rx='1' fill='{svg.INK}'/>"
    )


def _node(node: Node, place: Place) -> str:
    fill, stroke = svg.CONTROL if node.kind == "service" else svg.APP
    if node.kind == "unknown":
        fill, stroke = "#fff", svg.LINE
    middle = place.x + _WIDTH / 2
    name = svg.shorten(node.name, 20)
    below = node.version or node.namespace
    return (
        svg.box(place.x, place.y, _WIDTH, _HEIGHT, fill=fill, stroke=stroke)
        + svg.text(
            middle,
            place.y + 19,
            name,
            size=12 if len(name) < 17 else 11,
            fill=svg.INK,
            weight="bold",
        )
        + svg.text(middle, place.y + 35, below, size=10, fill=svg.LINE)
    )


def _legend(height: float) -> str:
    parts = []
    for number, (state, colour) in enumerate(COLOURS.items()):
        x = 10 + number * 90
        parts.append(svg.line(x, height - 10, x + 18, height - 10, stroke=colour))
        parts.append(svg.text(x + 24, height - 6, state, size=10, anchor="start"))
    return (
        "".join(parts)
        + _lock(286, height - 7)
        + svg.text(298, height - 6, "mutual TLS", size=10, anchor="start")
    )
