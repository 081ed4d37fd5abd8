"""Pictures of queries, traces and graphs: well-formed, with the numbers in words as well."""

from __future__ import annotations

import math
from xml.etree import ElementTree

import pytest

from meshcourse.observe.jaeger import Span, Trace
from meshcourse.observe.kiali import Edge, Graph, Node
from meshcourse.observe.prometheus import Matrix, Series
from meshcourse.widgets import service_graph, spans, timeseries


def parsed(svg: str) -> ElementTree.Element:
    return ElementTree.fromstring(svg)


def matrix(*lines: tuple[str, tuple[float, ...]]) -> Matrix:
    series = tuple(
        Series({"code": code, "job": "xyz"}, tuple(float(i) for i in range(len(values))), values)
        for code, values in lines
    )
    return Matrix("hits", 0.0, 10.0, series)


def test_lines_are_named_by_what_differs() -> None:
    shown = timeseries.draw(matrix(("200", (1.0, 2.0)), ("503", (0.0, 7.0))), title="t", unit="/s")
    words = repr(shown)
    assert "200: last 2/s" in words
    assert "xyz" not in words  # the job is the same for both
    assert len(parsed(shown.svg).findall(".//{*}polyline")) == 2
    assert len(shown.matrix) == 2


def test_too_many_lines_are_counted_and_no_data_is_said() -> None:
    many = matrix(*((str(i), (float(i), 1.0 + i)) for i in range(11)))
    assert "and 3 more" in repr(timeseries.draw(many))
    assert "no data" in repr(timeseries.draw(matrix()))
    parsed(timeseries.draw(matrix()).svg)


def test_gaps_and_nan_are_left_out() -> None:
    shown = timeseries.draw(matrix(("200", (1.0, math.nan, 3.0))))
    (line,) = parsed(shown.svg).findall(".//{*}polyline")
    assert len(line.attrib["points"].split()) == 2
    nothing = timeseries.draw(matrix(("200", (math.nan, math.nan))))
    parsed(nothing.svg)


def trace() -> Trace:
    return Trace(
        "abc<d",
        (
            Span("1", "", "gateway", "istio-ingressgateway.istio-system", 10.0, 0.030),
            Span("2", "1", "reviews:9080/*", "reviews.default", 10.005, 0.020, {"error": "true"}),
        ),
    )


def test_a_waterfall_has_a_bar_for_each_span() -> None:
    shown = spans.draw(trace())
    assert len(parsed(shown.svg).findall(".//{*}rect")) == len(shown) == 2
    assert "FAILED" in repr(shown)
    listed = spans.Traces((trace(),))
    assert "2 spans" in repr(listed)
    assert "abc&lt;d" in listed._repr_html_()
    assert repr(spans.Traces(())) == "no traces"


def bookinfo(failed: float = 0.0) -> Graph:
    gateway = Node("g", "app", "istio-ingressgateway", "latest", root=True)
    page = Node("p", "app", "productpage", "v1")
    reviews, ratings = Node("r", "app", "reviews", "v2"), Node("a", "app", "ratings", "v1")
    alone = Node("z", "app", "nobody", "v1")
    edges = (
        Edge(gateway, page, "http", 4.0, mtls=100.0),
        Edge(page, reviews, "http", 4.0, failed),
        Edge(reviews, ratings, "http", 4.0),
        Edge(page, ratings, "http", 1.0),
    )
    return Graph(60.0, (ratings, reviews, page, gateway, alone), edges)


def test_callers_stand_left_of_whom_they_call() -> None:
    graph = bookinfo()
    shown = service_graph.visible(graph)
    assert [node.id for node in shown] == ["a", "r", "p", "g"]
    places = service_graph.layout(shown, graph.edges)
    assert places["g"].x < places["p"].x < places["r"].x < places["a"].x


def test_a_circle_is_drawn_all_the_same() -> None:
    one, two = Node("1", "app", "one"), Node("2", "app", "two")
    graph = Graph(60.0, (one, two), (Edge(one, two, "http", 1.0), Edge(two, one, "http", 1.0)))
    parsed(service_graph.draw(graph).svg)


@pytest.mark.parametrize(
    ("failed", "colour"), [(0.0, "#1f8f4e"), (0.05, "#c98a1b"), (0.5, "#b23b3b")]
)
def test_an_edge_has_the_colour_of_its_state(failed: float, colour: str) -> None:
    shown = service_graph.draw(bookinfo(failed))
    page_to_reviews = [
        path.attrib["stroke"]
        for path in parsed(shown.svg).findall(".//{*}path")
        if path.attrib.get("stroke-width") == "2"
    ][1]
    assert page_to_reviews == colour
    locks = parsed(shown.svg).findall(".//{*}rect[@class='lock']")
    assert len(locks) == 2  # the one encrypted edge, and the legend


def test_an_empty_graph_says_why() -> None:
    assert "send some" in service_graph.draw(Graph(60.0, (), ())).svg
