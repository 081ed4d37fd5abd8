"""Samples → graph: rates, types of graphs, services in between, marks, the shape of the JSON."""

from __future__ import annotations

from typing import Any

import promql_parser
import pytest

from meshcourse.embedded.addons.kiali import options
from meshcourse.embedded.addons.kiali.graph import assemble, render
from meshcourse.embedded.addons.kiali.graph.build import Sample
from meshcourse.embedded.addons.kiali.mesh import Mesh
from meshcourse.embedded.addons.kiali.options import BadRequest, Options
from tests.unit.addons.kiali_mesh import mesh, sample

GATEWAY = "gateway.istio-system"
TRAFFIC = [
    sample(GATEWAY, "productpage-v1", 2),
    sample("productpage-v1", "details-v1", 2),
    sample("productpage-v1", "reviews-v1", 1),
    sample("productpage-v1", "reviews-v2", 0.9),
    sample("productpage-v1", "reviews-v2", 0.1, response_code="503", response_flags="UC"),
    sample("reviews-v2", "ratings-v1", 1),
]
NO_ROUTE = sample(
    "productpage-v1",
    "unknown",
    0.5,
    "source",
    response_code="500",
    response_flags="FI",
    destination_service="details.default.svc.cluster.local",
    destination_service_name="details",
    destination_service_namespace="default",
)


def graph(
    samples: list[Sample], params: dict[str, str] | None = None, found: Mesh | None = None
) -> dict[str, Any]:
    """The graph of requests that all questions about requests are answered with."""
    wanted = options.parse({"namespaces": "default", "appenders": "health,istio", **(params or {})})
    asked = assemble.plan(wanted, dict.fromkeys(wanted.namespaces, 60))
    answers = {text: samples if "istio_requests_total" in text else [] for text in asked.texts}
    return assemble.graph(wanted, asked, answers, found or mesh(), 1000)


def names(found: dict[str, Any]) -> dict[str, str]:
    """What to call each node."""
    return {
        one["data"]["id"]: one["data"].get("service")
        if one["data"]["nodeType"] == "service"
        else one["data"].get("workload") or one["data"].get("app") or one["data"]["nodeType"]
        for one in found["elements"]["nodes"]
    }


def edges(found: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    called = names(found)
    return {
        (called[one["data"]["source"]], called[one["data"]["target"]]): one["data"]
        for one in found["elements"]["edges"]
    }


def node(found: dict[str, Any], name: str, kind: str = "") -> dict[str, Any]:
    called = names(found)
    [only] = [
        one["data"]
        for one in found["elements"]["nodes"]
        if called[one["data"]["id"]] == name
        and (one["data"]["nodeType"] == kind or (not kind and one["data"]["nodeType"] != "box"))
    ]
    return dict(only)


def test_workload_graph() -> None:
    found = graph(TRAFFIC)
    assert {key: found[key] for key in ("timestamp", "duration", "graphType")} == {
        "timestamp": 1000,
        "duration": 600,
        "graphType": "workload",
    }
    assert edges(found)["productpage-v1", "reviews-v2"]["traffic"] == {
        "protocol": "http",
        "rates": {
            "http": "1.00",
            "http5xx": "0.10",
            "httpPercentErr": "10.0",
            "httpPercentReq": "25.0",
        },
        "responses": {
            "200": {"flags": {"-": "90.0"}, "hosts": {"reviews.default.svc.cluster.local": "90.0"}},
            "503": {
                "flags": {"UC": "10.0"},
                "hosts": {"reviews.default.svc.cluster.local": "10.0"},
            },
        },
    }
    page = node(found, "productpage-v1")
    assert page["traffic"] == [{"protocol": "http", "rates": {"httpIn": "2.00", "httpOut": "4.00"}}]
    assert page["destServices"] == [
        {"cluster": "Kubernetes", "namespace": "default", "name": "productpage"}
    ]
    gateway = node(found, "gateway")
    assert gateway["isRoot"]
    assert gateway["isOutside"]
    assert "isRoot" not in page


def test_both_reporters_count_once() -> None:
    twice = [
        *TRAFFIC,
        *(Sample({**one.labels, "reporter": "source"}, one.value) for one in TRAFFIC),
    ]
    assert graph(twice) == graph(TRAFFIC)


def test_services_in_between() -> None:
    found = edges(graph(TRAFFIC, {"injectServiceNodes": "true"}))
    assert found["productpage-v1", "reviews"]["traffic"]["rates"]["http"] == "2.00"
    assert found["reviews", "reviews-v1"]["traffic"]["rates"]["httpPercentReq"] == "50.0"
    assert ("productpage-v1", "reviews-v1") not in found


def test_service_graph() -> None:
    found = graph(TRAFFIC, {"graphType": "service"})
    assert set(edges(found)) == {
        ("gateway", "productpage"),
        ("productpage", "details"),
        ("productpage", "reviews"),
        ("reviews", "ratings"),
    }
    assert node(found, "reviews")["traffic"][0]["rates"] == {
        "httpIn": "2.00",
        "httpIn5xx": "0.10",
        "httpOut": "1.00",
    }


def test_app_graph_joins_versions() -> None:
    found = graph(TRAFFIC, {"graphType": "app"})
    assert edges(found)["productpage", "reviews"]["traffic"]["rates"]["http"] == "2.00"
    assert "version" not in node(found, "reviews")


def test_versioned_app_graph_has_boxes() -> None:
    found = graph(TRAFFIC, {"graphType": "versionedApp"})
    boxes = [one["data"] for one in found["elements"]["nodes"] if one["data"].get("isBox")]
    assert [(box["app"], box["nodeType"]) for box in boxes] == [("reviews", "box")]
    assert node(found, "reviews-v1")["parent"] == boxes[0]["id"]
    assert found["elements"]["nodes"][0]["data"] == boxes[0], "parents come first"


def test_boxes_by_namespace() -> None:
    found = graph(TRAFFIC, {"boxBy": "namespace"})
    boxes = [one["data"] for one in found["elements"]["nodes"] if one["data"].get("isBox")]
    assert [box["namespace"] for box in boxes] == ["default"], "a box of one is none"


def test_an_abort_shows_at_the_service() -> None:
    found = edges(graph([*TRAFFIC, NO_ROUTE], {"injectServiceNodes": "true"}))
    failing = found["productpage-v1", "details"]
    assert failing["traffic"]["rates"]["http"] == "2.50"
    assert failing["traffic"]["rates"]["httpPercentErr"] == "20.0"
    assert failing["traffic"]["responses"]["500"]["flags"] == {"FI": "20.0"}
    assert failing["healthStatus"] == "Failure"
    assert found["details", "details-v1"]["healthStatus"] == "Healthy"


@pytest.mark.parametrize(
    ("secure", "plain", "expected"), [(2, 0, "100"), (1, 3, "25"), (0, 2, None)]
)
def test_mutual_tls_follows_the_destination(
    secure: float, plain: float, expected: str | None
) -> None:
    samples = [
        sample("productpage-v1", "details-v1", rate, connection_security_policy=policy)
        for rate, policy in ((secure, "mutual_tls"), (plain, "none"))
        if rate
    ]
    found = edges(graph(samples, {"appenders": "securityPolicy"}))
    assert found["productpage-v1", "details-v1"].get("isMTLS") == expected


def test_response_times_prefer_the_destination() -> None:
    wanted = options.parse({"namespaces": "default", "appenders": "responseTime,throughput"})
    asked = assemble.plan(wanted, {"default": 60})
    answers: dict[str, list[Sample]] = {text: [] for text in asked.texts}
    for query in asked.traffic:
        answers[query.text] = TRAFFIC if "requests" in query.metric else []
    values = [12.4, 99.0]
    for text, value in zip(asked.response_times, values, strict=True):
        answers[text] = [sample("productpage-v1", "details-v1", value)]
    for text in asked.throughput:
        answers[text] = [sample("productpage-v1", "details-v1", 300.4)]
    assert 'reporter=~"waypoint|destination"' in asked.response_times[0]
    edge = edges(assemble.graph(wanted, asked, answers, mesh(), 0))["productpage-v1", "details-v1"]
    assert (edge["responseTime"], edge["throughput"]) == ("12", "300")


def test_tcp_and_grpc() -> None:
    wanted = Options(("default",), appenders=frozenset({"health"}))
    asked = assemble.plan(wanted, {"default": 60})
    answers = {
        query.text: [sample("reviews-v2", "ratings-v1", 1000)]
        if query.metric == "istio_tcp_received_bytes_total"
        else [
            sample("a-v1", "b-v1", 3, request_protocol="grpc", grpc_response_status="0"),
            sample("a-v1", "b-v1", 1, request_protocol="grpc", grpc_response_status="14"),
        ]
        for query in asked.traffic
    }
    found = edges(assemble.graph(wanted, asked, answers, mesh(), 0))
    assert found["reviews-v2", "ratings-v1"]["traffic"]["rates"] == {"tcp": "1000.00"}
    grpc = found["a-v1", "b-v1"]
    assert grpc["traffic"]["rates"]["grpcPercentErr"] == "25.0"
    assert grpc["healthStatus"] == "Failure"


@pytest.mark.parametrize("policy", ["mutual_tls", "none"])
def test_bytes_of_nobody_with_mutual_tls_are_those_of_the_source_that_reports_them(
    policy: str,
) -> None:
    wanted = Options(("default",), appenders=frozenset({"securityPolicy"}))
    asked = assemble.plan(wanted, {"default": 60})
    known = sample("cart-v1", "redis-v1", 80, "source")
    arrived = sample("unknown", "redis-v1", 82, connection_security_policy=policy)
    answers: dict[str, list[Sample]] = {text: [] for text in asked.texts}
    for text in asked.texts:
        if text.startswith("sum(rate(istio_tcp_received_bytes_total"):
            answers[text] = [arrived] if '|destination"' in text else [known]
    found = edges(assemble.graph(wanted, asked, answers, mesh(), 0))
    assert ("cart-v1", "redis-v1") in found
    if policy == "none":
        assert set(found) == {("cart-v1", "redis-v1"), ("unknown", "redis-v1")}
        return
    assert set(found) == {("cart-v1", "redis-v1")}
    assert found["cart-v1", "redis-v1"]["isMTLS"] == "100"


def test_idle_and_dead() -> None:
    gone = [*TRAFFIC, sample("unknown", "gone-v9", 0.0)]
    found = graph(gone, {"appenders": "deadNode,idleNode", "includeIdleEdges": "true"})
    assert "gone-v9" not in names(found).values()
    assert "isIdle" not in node(found, "ratings-v1")
    quiet = graph([], {"appenders": "idleNode"})
    assert set(names(quiet).values()) == {
        "productpage-v1",
        "details-v1",
        "reviews-v1",
        "reviews-v2",
        "ratings-v1",
    }
    assert all(one["data"]["isIdle"] for one in quiet["elements"]["nodes"])
    assert graph([])["elements"] == {"nodes": [], "edges": []}


def test_unknown_callers() -> None:
    found = graph([sample("unknown", "details-v1", 1)])
    outside = node(found, "unknown")
    assert outside["nodeType"] == "unknown"
    assert outside["isInaccessible"]


def test_broken_telemetry_is_left_out() -> None:
    address = sample("a-v1", "unknown", 1, "source", destination_service_namespace="unknown")
    labels = {**address.labels, "destination_service": "10.0.0.1:80"}
    labels["destination_service_name"] = "10.0.0.1:80"
    nobody = sample(
        "a-v1", "b-v1", 1, source_workload="unknown", source_canonical_service="unknown"
    )
    assert graph([Sample(labels, 1), nobody])["elements"]["nodes"] == []


SPLIT = """
kind: VirtualService
metadata: {name: reviews}
spec:
  hosts: [reviews]
  http:
    - fault: {delay: {fixedDelay: 1s}}
      timeout: 2s
      match: [{uri: {prefix: /}}]
      mirror: {host: ratings}
      route:
        - {destination: {host: reviews, subset: v1}, weight: 50}
        - {destination: {host: reviews, subset: v2}, weight: 50}
---
kind: DestinationRule
metadata: {name: reviews}
spec:
  host: reviews
  subsets:
    - {name: v1, labels: {version: v1}}
    - {name: v2, labels: {version: v2}, trafficPolicy: {outlierDetection: {consecutive5xxErrors: 1}}}
---
kind: Gateway
metadata: {name: web}
spec:
  selector: {istio: ingressgateway}
  servers: [{port: {number: 80, name: http, protocol: HTTP}, hosts: ["shop.example"]}]
"""


def test_badges() -> None:
    found = graph(TRAFFIC, {"injectServiceNodes": "true"}, mesh(SPLIT))
    reviews = node(found, "reviews")
    assert reviews["hasVS"] == {"hostnames": ["reviews"]}
    for mark in (
        "FaultInjection",
        "TrafficShifting",
        "RequestRouting",
        "RequestTimeout",
        "Mirroring",
    ):
        assert reviews[f"has{mark}"], mark
    assert reviews["hasCB"]
    assert node(found, "reviews-v2")["hasCB"]
    assert "hasCB" not in node(found, "reviews-v1")
    assert "hasVS" not in node(found, "details")
    assert node(found, "gateway")["isGateway"] == {"ingressInfo": {"hostnames": ["shop.example"]}}


ENTRY = """
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: outside, namespace: default}
spec: {hosts: ["*.example.org"], location: MESH_EXTERNAL, ports: [{number: 80, name: http, protocol: HTTP}]}
"""


@pytest.mark.parametrize(("host", "marked"), [("a.example.org", True), ("example.org", False)])
def test_hosts_of_service_entries_are_marked(host: str, marked: bool) -> None:
    outside = sample(
        "productpage-v1",
        "unknown",
        1,
        "source",
        destination_service=host,
        destination_service_name=host,
        destination_service_namespace="default",
    )
    found = graph([outside], {"appenders": "serviceEntry"}, mesh(ENTRY))
    entry = {"hosts": ["*.example.org"], "location": "MESH_EXTERNAL", "namespace": "default"}
    assert node(found, host).get("isServiceEntry") == (entry if marked else None)


def test_health_of_nodes() -> None:
    found = graph([*TRAFFIC, NO_ROUTE], {"injectServiceNodes": "true"})
    details = node(found, "details")["healthData"]
    assert details["requests"]["inbound"] == {"http": {"200": 2, "500": 0.5}}
    assert details["status"]["status"] == "Failure"
    workload = node(found, "ratings-v1")["healthData"]
    assert workload["workloadStatus"]["availableReplicas"] == 1
    assert workload["status"]["status"] == "Healthy"


@pytest.mark.parametrize(
    ("rate", "text"),
    [(0.0, "0.00"), (1.239, "1.24"), (0.5, "0.50"), (0.0042, "0.004"), (12, "12.00")],
)
def test_rates_as_text(rate: float, text: str) -> None:
    assert render.rate_text(rate) == text


@pytest.mark.parametrize("ambient", ["none", "total"])
@pytest.mark.parametrize("responses", ["avg", "99"])
def test_every_question_is_promql(ambient: str, responses: str) -> None:
    params = {"namespaces": "a,b", "rateGrpc": "total", "rateTcp": "total"}
    wanted = options.parse({**params, "ambientTraffic": ambient, "responseTime": responses})
    asked = assemble.plan(wanted, {"a": 60, "b": 30})
    for text in asked.texts:
        promql_parser.parse(text)
    assert any('namespace="b"' in text and "[30s]" in text for text in asked.texts)


def test_three_questions_about_requests() -> None:
    asked = assemble.plan(Options(("default",), appenders=frozenset()), {"default": 60})
    requests = [query.text for query in asked.traffic if query.metric == "istio_requests_total"]
    assert len(requests) == 3
    assert 'reporter=~"waypoint|source",source_workload_namespace!="default"' in requests[0]
    assert 'destination_service=~"^.+\\\\.default\\\\..+$"' in requests[0]
    assert (
        'reporter=~"waypoint|destination",destination_workload_namespace="default"' in requests[1]
    )
    assert 'reporter=~"waypoint|source",source_workload_namespace="default"' in requests[2]
    assert all(text.endswith("> 0") for text in requests)


def test_defaults() -> None:
    assert options.parse({"namespaces": " a, b,a"}) == Options(("a", "b"))
    assert options.parse({"namespaces": "a", "duration": "1h30m"}).duration == 5400
    assert options.parse({"namespaces": "a", "graphType": "service"}).inject_services


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("namespaces", ""),
        ("duration", "soon"),
        ("graphType", "pie"),
        ("boxBy", "colour"),
        ("includeIdleEdges", "perhaps"),
        ("injectServiceNodes", "2"),
        ("queryTime", "now"),
        ("rateHttp", "sent"),
        ("rateGrpc", "x"),
        ("rateTcp", "requests"),
        ("responseTime", "42"),
        ("throughputType", "both"),
        ("refreshInterval", "500"),
        ("refreshInterval", "x"),
        ("configVendor", "other"),
        ("ambientTraffic", "x"),
    ],
)
def test_bad_parameters(name: str, value: str) -> None:
    with pytest.raises(BadRequest):
        options.parse({"namespaces": "a", name: value})
