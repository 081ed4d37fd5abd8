"""What the add-ons know of real traffic: exact counts, exact spans, edges that redden, locks that follow the policy.

With the course's own Prometheus (notebooks run with the real one, where there is one). One mesh for all tests of this
file; they run in the order in which they stand, and each leaves the mesh as it was.
"""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from meshcourse import course
from meshcourse.embedded.daemon import launcher
from meshcourse.observe import stats, tracing
from meshcourse.observe.jaeger import Trace
from meshcourse.widgets import service_graph, svg
from tests.integration import standin

NAME = "signals-tests"
pytestmark = pytest.mark.timeout(240)
#: Bound for things that take a second or two on a quiet machine.
PATIENCE = 60.0
#: Two-sided error of one in ten thousand.
SURE = 0.9999

TRACING = """
apiVersion: telemetry.istio.io/v1
kind: Telemetry
metadata: {name: tracing, namespace: istio-system}
spec: {tracing: [{providers: [{name: jaeger}], randomSamplingPercentage: %s}]}
"""
MTLS = """
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: default, namespace: default}
spec: {mtls: {mode: %s}}
"""
FAULT = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: ratings, namespace: default}
spec:
  hosts: [ratings]
  http:
  - fault: {abort: {percentage: {value: 100}, httpStatus: 500}}
    route: [{destination: {host: ratings}}]
"""
#: Service, span name and depth of the spans of a page, as Istio 1.28 and later writes them.
WITHOUT_RATINGS = [
    ("istio-ingressgateway.istio-system", "productpage.default.svc.cluster.local:9080/productpage", 0),
    ("istio-ingressgateway.istio-system", "router outbound|9080||productpage.default.svc.cluster.local egress", 1),
    ("productpage.default", "productpage.default.svc.cluster.local:9080/productpage", 2),
    ("productpage.default", "details.default.svc.cluster.local:9080/*", 3),
    ("details.default", "details.default.svc.cluster.local:9080/*", 4),
    ("productpage.default", "reviews.default.svc.cluster.local:9080/*", 3),
    ("reviews.default", "reviews.default.svc.cluster.local:9080/*", 4),
]  # fmt: skip
WITH_RATINGS = [
    *WITHOUT_RATINGS,
    ("reviews.default", "ratings.default.svc.cluster.local:9080/*", 5),
    ("ratings.default", "ratings.default.svc.cluster.local:9080/*", 6),
]


@pytest.fixture(scope="module")
def mesh() -> Iterator[course.Mesh]:
    found = course.open(NAME)
    try:
        found.ensure("bookinfo", "jaeger", "kiali")
        standin.prometheus(found)
        found.traffic("/productpage", n=60, rate=0, concurrency=4)
        yield found
    finally:
        found.close()
        launcher.down(NAME, delete=True)


def until(condition: Callable[[], Any], seconds: float = PATIENCE) -> float:
    """Wait for a condition; the seconds that it took."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds, f"not after {seconds} s"
        time.sleep(0.05)
    return time.monotonic() - began


def test_a_thousand_requests_are_a_thousand_for_each_reporter(mesh: course.Mesh) -> None:
    pages = 'istio_requests_total{destination_workload="productpage-v1"}'
    query = f"sum by (reporter, response_code) ({pages})"
    before = mesh.prometheus.settled(query).by("reporter", "response_code")

    def rise() -> dict[str, float]:
        now = mesh.promql(query).by("reporter", "response_code")
        return {name: now[name] - before.get(name, 0) for name in now}

    good = mesh.traffic("/api/v1/products", n=700, rate=0, concurrency=8)
    bad = mesh.traffic("/api/v1/products/none", n=300, rate=0, concurrency=8)
    assert (good.statuses, bad.statuses) == ({200: 700}, {400: 300})
    took = until(lambda: sum(rise().values()) >= 2000)
    print(f"visible after {took:.2f} s")
    assert took <= 3.0
    codes = {"200": 700, "400": 300}
    expected = {f"{side} {c}": n for side in ("source", "destination") for c, n in codes.items()}
    assert rise() == expected
    time.sleep(
        1.5
    )  # nothing comes late: longer than a scrape and the second in which Envoys pass numbers on
    assert sum(rise().values()) == 2000


def shape(trace: Trace) -> list[tuple[str, str, int]]:
    return sorted((span.service, span.name, depth) for span, depth in trace.tree())


def gateway_routes(mesh: course.Mesh) -> tuple[str, str]:
    """The version of the gateway's routes that was sent, and the one it has acknowledged."""
    url = mesh.url("istiod", "http-monitoring", "/debug/syncz", namespace="istio-system")
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url) as answer:
        proxies = json.load(answer)
    (found,) = [each for each in proxies if "ingressgateway" in each["proxy"]]
    return found["route_sent"], found["route_acked"]


def sample(mesh: course.Mesh, share: int) -> None:
    """Trace so many percent from now on: the gateway has acknowledged it."""
    before = gateway_routes(mesh)[0]
    mesh.apply(TRACING % share).raise_on_error()
    until(lambda: (now := gateway_routes(mesh))[0] != before and now[0] == now[1])


def test_traces_have_istios_spans_and_one_percent_is_one_percent(mesh: course.Mesh) -> None:
    mesh.apply(TRACING % 100).raise_on_error()
    until(lambda: (mesh.traffic(n=4, rate=0).n, mesh.jaeger.services())[1])
    mesh.traffic("/productpage", n=60, rate=0, concurrency=4)  # over connections that are older
    sample(mesh, 1)
    many = mesh.traffic("/api/v1/products", n=5000, rate=0, concurrency=12)
    sample(mesh, 100)
    pages = mesh.traffic("/productpage", n=24, rate=40)
    traces = mesh.traces_of(pages)  # returns when all Envoys have sent what they had

    assert (many.n, many.failed, len(traces)) == (5000, 0, 24)
    for trace in traces:
        assert shape(trace) == sorted(WITHOUT_RATINGS if len(trace) < 8 else WITH_RATINGS)
        assert len(trace.roots) == 1
    assert sum(len(trace) == 7 for trace in traces) == pages.versions.get("v1", 0)
    kept = sum(
        trace.spans[0].tags.get("user_agent") == many.agent
        for trace in mesh.jaeger.traces(tracing.GATEWAY, minutes=5, limit=6000)
    )
    assert 0.01 in stats.wilson(kept, many.n, SURE), kept
    mesh.delete(TRACING % 100)


def test_edges_equal_promql_and_a_fault_turns_them_red(mesh: course.Mesh) -> None:
    window = 10
    with mesh.start_traffic("/productpage", seconds=PATIENCE * 2, rate=30) as run:
        until(lambda: mesh.kiali.graph(seconds=window).rate("reviews", "ratings") > 10)
        at = int(time.time()) - 1
        graph = mesh.kiali.graph(seconds=window, at=at)
        asked = mesh.prometheus.query(
            "sum by (source_workload, destination_workload) (rate(istio_requests_total{"
            f'reporter="destination", source_workload_namespace="default"}}[{window}s]))',
            at,
        )
        counted = asked.by("source_workload", "destination_workload")
        edges = [edge for edge in graph.edges if edge.source.namespace == "default"]
        assert len(edges) >= 6
        for edge in edges:
            names = (
                f"{edge.source.name}-{edge.source.version} {edge.target.name}-{edge.target.version}"
            )
            assert edge.rate == pytest.approx(counted[names], abs=0.0051)
            assert edge.state == "healthy"
        took = [redden(mesh, window)]
        while min(took) > 5.0 and len(took) < 3:  # somebody else had the machine: heal, and again
            until(lambda: not failing(mesh, window))
            took.append(redden(mesh, window))
        assert min(took) <= 5.0
        print(f"red after {took[-1]:.2f} s")
        run.stop()


def failing(mesh: course.Mesh, window: int) -> set[str]:
    """Whom the red edges lead to."""
    found = mesh.kiali.graph(seconds=window).edges
    return {edge.target.name for edge in found if edge.state == "failing"}


def redden(mesh: course.Mesh, window: int) -> float:
    """Seconds from a fault to a red edge in Kiali's graph and in ours."""
    mesh.apply(FAULT).raise_on_error()
    took = until(lambda: failing(mesh, window))
    assert failing(mesh, window) == {"ratings"}
    assert f"stroke='{svg.FAILED}' stroke-width='2'" in mesh.graph(seconds=window).svg
    mesh.delete(FAULT)
    return took


def locked(mesh: course.Mesh, window: int = 5) -> set[bool]:
    """Of the edges from productpage to reviews: are they drawn with a lock?"""
    edges = mesh.kiali.graph(seconds=window).between("productpage", "reviews")
    return {edge.mtls >= service_graph.ENCRYPTED for edge in edges}


def test_the_lock_follows_the_peer_authentication(mesh: course.Mesh) -> None:
    window = 5
    with mesh.start_traffic("/productpage", seconds=PATIENCE * 4, rate=30) as run:
        until(lambda: locked(mesh) == {True})
        locks = mesh.graph(seconds=window).svg.count("class='lock'")
        mesh.apply(MTLS % "DISABLE").raise_on_error()
        until(lambda: locked(mesh) == {False})
        assert mesh.graph(seconds=window).svg.count("class='lock'") < locks
        mesh.apply(MTLS % "STRICT").raise_on_error()
        until(lambda: locked(mesh) == {True})
        mesh.delete(MTLS % "STRICT")
        run.stop()
