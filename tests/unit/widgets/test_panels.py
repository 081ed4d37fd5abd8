"""Heat-maps, and panels drawn from their definitions."""

from __future__ import annotations

import math
from xml.etree import ElementTree

import pytest

from meshcourse.observe import boards
from meshcourse.observe.kiali import Edge, Graph, Node
from meshcourse.observe.prometheus import Matrix, Sample, Series, Vector
from meshcourse.widgets import board, heatmap, service_graph


def matrix(**lines: tuple[float, ...]) -> Matrix:
    """Series by ``le``; a moment each second."""
    series = tuple(
        Series({"le": le}, tuple(float(i) for i in range(len(values))), values)
        for le, values in lines.items()
    )
    return Matrix("buckets", 0.0, 9.0, series)


CUMULATIVE = matrix(**{"5": (1.0, 2.0), "+Inf": (6.0, math.nan), "10": (4.0, 2.0), "1": (0.0, 0.0)})


def test_buckets_are_differences_in_order_of_their_bounds() -> None:
    bounds, times, counts = heatmap.buckets(CUMULATIVE)
    assert bounds == (1.0, 5.0, 10.0, math.inf)
    assert times == (0.0, 1.0)
    assert counts == ((0.0, 0.0), (1.0, 2.0), (3.0, 0.0), (2.0, 0.0))


def test_a_heatmap_shows_the_buckets_that_are_used() -> None:
    shown = heatmap.draw(CUMULATIVE, title="duration", unit=" ms")
    tree = ElementTree.fromstring(shown.svg)
    cells = list(tree.iter("{http://www.w3.org/2000/svg}rect"))
    assert len(cells) == 4
    assert max(float(each.attrib["opacity"]) for each in cells) == 1.0
    assert repr(shown).splitlines() == [
        "duration", "  1 ms to 5 ms: 37.5%", "  5 ms to 10 ms: 37.5%", "  10 ms to ∞: 25.0%",
    ]  # fmt: skip
    assert "5 ms to 10 ms: 3" in shown.svg


@pytest.mark.parametrize("empty", [matrix(), matrix(**{"5": (0.0, 0.0)})])
def test_an_empty_heatmap_says_why(empty: Matrix) -> None:
    assert "send some traffic" in repr(heatmap.draw(empty))


def panel(kind: str, unit: str, *legends: str) -> boards.Panel:
    return boards.Panel("T", kind, unit, tuple(boards.Target("q", each) for each in legends), 12)


def vector(**values: float) -> Vector:
    return Vector("q", tuple(Sample({"pod": pod}, value) for pod, value in values.items()))


def test_lines_have_the_names_and_units_of_the_definition() -> None:
    series = Series({"pod": "web"}, (0.0, 1.0), (0.5, 0.25))
    answer = Matrix("q", 0.0, 1.0, (series,))
    shown = board.draw(
        panel("timeseries", "percentunit", "of {{pod}}"), boards.Answers(over_time=(answer,))
    )
    assert repr(shown).splitlines() == ["T (1 s)", "  of web: last 25 %"]


def test_numbers_and_tables() -> None:
    one = boards.Answers(now=(vector(web=0.985),))
    assert repr(board.draw(panel("stat", "percentunit", ""), one)) == "T: 98.5 %"
    none = boards.Answers(now=(Vector("q", ()),))
    assert "no data" in repr(board.draw(panel("stat", "reqps", ""), none))
    both = boards.Answers(now=(vector(web=3.0, db=4.0), vector(web=0.5)))
    shown = board.draw(panel("table", "short", "Rate", "P50"), both)
    assert repr(shown).splitlines() == ["pod  Rate  P50", "db   4", "web  3     0.5"]
    assert "no data" in repr(board.draw(panel("table", "short", "Rate"), none))


def test_a_sheet_holds_all_panels() -> None:
    heat = board.draw(panel("heatmap", "ms", "{{le}}"), boards.Answers(over_time=(CUMULATIVE,)))
    table = board.draw(panel("table", "short", "Rate"), boards.Answers(now=(vector(web=3.0),)))
    sheet = board.Sheet("Mesh", [(panel("heatmap", "ms"), heat), (panel("table", "short"), table)])
    assert repr(sheet).startswith("Mesh\n\nT\n")
    assert sheet._repr_html_().count("grid-column:span 12") == 2


def graph() -> Graph:
    web = Node("1", "app", "web", "v1", "default", badges=("virtual service",))
    db = Node("2", "app", "db", "v1", "default")
    edge = Edge(web, db, "http", 4.0, 0.5, 100.0, 12.0, {"200": 50.0, "500": 50.0}, ("me", "you"))
    return Graph(30.0, (web, db), (edge,))


def test_details_of_nodes_and_edges() -> None:
    view = service_graph.draw(graph())
    assert "virtual service" in repr(view.details("web v1"))
    assert "to db v1  4.00 req/s, 50% failed, mTLS, failing" in repr(view.details("web v1"))
    words = repr(view.details("web v1 → db v1"))
    assert "200: 50.0 %, 500: 50.0 %" in words
    assert "12 ms on average" in words
    assert "caller          me" in words
    assert view.details("nobody") is None


def test_everything_can_be_picked_and_traffic_moves() -> None:
    tree = ElementTree.fromstring(service_graph.draw(graph()).svg)
    names = {each.attrib["data-pick"] for each in tree.iter() if "data-pick" in each.attrib}
    assert names == {"web v1", "db v1", "web v1 → db v1"}
    assert len(list(tree.iter("{http://www.w3.org/2000/svg}animate"))) == 1
