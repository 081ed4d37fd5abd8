"""Spans in by Zipkin and OTLP, out by both query APIs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
from aiohttp.test_utils import TestClient, TestServer
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2

from meshcourse.embedded.addons.jaeger import main, otlp, zipkin
from meshcourse.embedded.addons.jaeger.api import BadQuery, Ingestion, duration
from meshcourse.embedded.addons.jaeger.spans import MalformedSpan, Span
from meshcourse.embedded.addons.jaeger.store import Query, Store

Client = TestClient[Any, Any]
TRACE = "0000000000000000000000000000abcd"


def zipkin_span(
    number: int, parent: int = 0, service: str = "productpage.default", **more: Any
) -> dict[str, Any]:
    raw = {
        "traceId": "abcd",
        "id": f"{number:016x}",
        "name": f"{service}.svc.cluster.local:9080/*",
        "kind": "SERVER",
        "timestamp": 1_000_000 + number,
        "duration": 100 * number,
        "localEndpoint": {"serviceName": service, "ipv4": "127.66.0.5", "port": 0},
        "tags": {"http.status_code": "200", "component": "proxy"},
    }
    return {**raw, **({"parentId": f"{parent:016x}"} if parent else {}), **more}


TREE = [
    zipkin_span(1),
    zipkin_span(2, 1, "reviews.default"),
    zipkin_span(3, 2, "ratings.default", tags={"error": "true", "http.status_code": "503"}),
]


@pytest.fixture
async def jaeger() -> AsyncIterator[tuple[Client, Store]]:
    store = Store()
    app = main.query_app(store, "/jaeger")
    app.add_routes([*Ingestion(store).zipkin_routes(), *Ingestion(store).otlp_routes()])
    async with TestClient(TestServer(app)) as client:
        yield client, store


async def get(client: Client, path: str, **params: str) -> tuple[int, Any]:
    async with client.get(f"/jaeger{path}", params=params) as answer:
        return answer.status, await answer.json()


async def test_a_trace_by_zipkin_comes_back_whole(jaeger: tuple[Client, Store]) -> None:
    client, _ = jaeger
    async with client.post("/api/v2/spans", data=orjson.dumps(TREE)) as answer:
        assert answer.status == 202
    code, body = await get(client, f"/api/traces/{TRACE}")
    assert code == 200
    (trace,) = body["data"]
    assert set(body) == {"data", "total", "limit", "offset", "errors"}
    assert [span["spanID"][-1] for span in trace["spans"]] == ["1", "2", "3"]
    assert [span["references"] for span in trace["spans"]][1] == [
        {"refType": "CHILD_OF", "traceID": TRACE, "spanID": "0000000000000001"}
    ]
    services = {process["serviceName"] for process in trace["processes"].values()}
    assert services == {"productpage.default", "reviews.default", "ratings.default"}
    tags = {tag["key"]: tag["value"] for tag in trace["spans"][2]["tags"]}
    assert tags == {"error": "true", "http.status_code": "503", "span.kind": "server"}
    _, found = await get(client, "/api/services")
    assert found["data"] == ["productpage.default", "ratings.default", "reviews.default"]
    _, links = await get(client, "/api/dependencies", endTs="10000", lookback="10000")
    assert links["data"] == [
        {"parent": "productpage.default", "child": "reviews.default", "callCount": 1},
        {"parent": "reviews.default", "child": "ratings.default", "callCount": 1},
    ]


async def test_the_third_api_speaks_otlp(jaeger: tuple[Client, Store]) -> None:
    client, store = jaeger
    store.add(zipkin.decode(TREE))
    code, body = await get(client, f"/api/v3/traces/{TRACE}")
    assert code == 200
    resources = body["result"]["resourceSpans"]
    assert len(resources) == 3
    span = resources[2]["scopeSpans"][0]["spans"][0]
    assert span["status"] == {"code": 2}
    assert span["parentSpanId"] == "0000000000000002"
    assert int(span["endTimeUnixNano"]) - int(span["startTimeUnixNano"]) == 300_000
    window = {
        "query.start_time_min": "1970-01-01T00:00:00Z",
        "query.start_time_max": "1970-01-02T00:00:00Z",
    }
    code, body = await get(
        client, "/api/v3/traces", **{"query.service_name": "ratings.default", **window}
    )
    assert (code, len(body["result"]["resourceSpans"])) == (200, 3)
    code, body = await get(client, "/api/v3/traces", **{"query.service_name": "ratings.default"})
    assert (code, body["error"]["httpCode"]) == (400, 400)
    code, _ = await get(client, "/api/v3/traces/ffff")
    assert code == 404


@pytest.mark.parametrize(
    ("params", "found"),
    [
        ({"service": "productpage.default"}, 1),
        ({"service": "ratings.default", "tags": '{"http.status_code":"503"}'}, 1),
        ({"service": "ratings.default", "tag": "http.status_code:200"}, 0),
        ({"service": "reviews.default", "minDuration": "200us"}, 1),
        ({"service": "reviews.default", "minDuration": "201us"}, 0),
        ({"service": "reviews.default", "maxDuration": "0.1ms"}, 0),
        ({"service": "reviews.default", "start": "2000000"}, 0),
        ({"service": "reviews.default", "operation": "other"}, 0),
        ({"service": "nobody"}, 0),
    ],
)
async def test_search(jaeger: tuple[Client, Store], params: dict[str, str], found: int) -> None:
    client, store = jaeger
    store.add(zipkin.decode(TREE))
    code, body = await get(client, "/api/traces", **params)
    assert (code, len(body["data"])) == (200, found)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({}, "parameter 'service' is required"),
        ({"service": "a", "limit": "x"}, "unable to parse param 'limit'"),
        ({"service": "a", "minDuration": "5"}, "could not parse duration"),
        ({"service": "a", "tags": "{"}, "cannot unmarshal JSON"),
        ({"service": "a", "tag": "novalue"}, "expecting key:value"),
    ],
)
async def test_bad_searches_are_explained(
    jaeger: tuple[Client, Store], params: dict[str, str], message: str
) -> None:
    code, body = await get(jaeger[0], "/api/traces", **params)
    assert code == 400
    assert message in body["errors"][0]["msg"]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({}, "expected a list"),
        ([1], "must be an object"),
        ([{**zipkin_span(1), "traceId": "xyz"}], "traceId is not"),
        ([{**zipkin_span(1), "id": "0"}], "id is not"),
        ([zipkin_span(1), {**zipkin_span(2), "duration": "long"}], "duration is not"),
    ],
)
async def test_a_malformed_request_stores_nothing(
    jaeger: tuple[Client, Store], body: Any, message: str
) -> None:
    client, store = jaeger
    async with client.post("/api/v2/spans", data=orjson.dumps(body)) as answer:
        assert answer.status == 400
        assert message in await answer.text()
    assert store.span_count == 0


def otlp_message() -> Any:
    message = trace_service_pb2.ExportTraceServiceRequest()
    resource = message.resource_spans.add()
    resource.resource.attributes.add(key="service.name").value.string_value = "boutique"
    scopes = getattr(resource, otlp.scopes_field(resource))
    span = scopes.add().spans.add(name="PlaceOrder", kind=2)
    span.trace_id, span.span_id = bytes.fromhex("ab" * 16), bytes.fromhex("cd" * 8)
    span.start_time_unix_nano, span.end_time_unix_nano = 5_000_000, 9_000_000
    span.attributes.add(key="rpc.ok").value.bool_value = True
    span.attributes.add(key="rpc.count").value.int_value = 3
    span.status.code = 2
    return message


async def test_otlp_over_http(jaeger: tuple[Client, Store]) -> None:
    client, store = jaeger
    data = otlp_message().SerializeToString()
    async with client.post(
        "/v1/traces", data=data, headers={"content-type": "application/x-protobuf"}
    ) as answer:
        assert answer.status == 200
    async with client.post("/v1/traces", data=b"\xff\xff") as answer:
        assert answer.status == 400
    (span,) = store.trace("ab" * 16)
    assert (span.service, span.kind, span.start, span.duration) == (
        "boutique",
        "server",
        5_000,
        4_000,
    )
    assert span.tags == {"rpc.ok": True, "rpc.count": 3, "error": True}
    assert span.failed


def test_otlp_as_json_has_hex_ids() -> None:
    body = orjson.dumps(
        {"resourceSpans": [{"scopeSpans": [{"spans": [
            {"traceId": "ab" * 16, "spanId": "cd" * 8, "name": "x", "startTimeUnixNano": "1000"}
        ]}]}]}
    )  # fmt: skip
    (span,) = otlp.parse(body, as_json=True)
    assert (span.trace_id, span.span_id, span.service) == ("ab" * 16, "cd" * 8, "unknown")


def make_span(trace: int, number: int) -> Span:
    return Span(f"{trace:032x}", f"{number:016x}", "", "op", "s", "", trace, 1)


def test_memory_is_bounded_by_whole_traces() -> None:
    store = Store(max_spans=100)
    for trace in range(1, 60):
        store.add([make_span(trace, number) for number in range(1, 11)])
    assert store.span_count <= 100
    assert store.trace(f"{1:032x}") == []
    assert len(store.trace(f"{59:032x}")) == 10
    assert store.received == 590
    assert store.dropped == 590 - store.span_count


def test_a_span_that_comes_twice_counts_once() -> None:
    store = Store()
    store.add([make_span(1, 1), make_span(1, 1)])
    assert store.span_count == 1


def test_the_newest_come_first_and_the_limit_holds() -> None:
    store = Store()
    store.add(make_span(trace, 1) for trace in (5, 9, 7))
    found = store.search(Query("s", limit=2))
    assert [trace[0].start for trace in found] == [9, 7]


def test_durations() -> None:
    assert duration("1.5s") == 1_500_000
    assert duration("2m100ms") == 120_100_000
    for text in ("", "5", "x5s"):
        with pytest.raises(BadQuery):
            duration(text)


def test_ids_are_normalised() -> None:
    (span,) = zipkin.decode([zipkin_span(1, traceId="ABCD")])
    assert span.trace_id == TRACE
    with pytest.raises(MalformedSpan):
        zipkin.decode([zipkin_span(1, traceId="a" * 33)])


async def test_the_page_is_there_with_and_without_prefix(jaeger: tuple[Client, Store]) -> None:
    for path in ("/jaeger/", "/jaeger/search", f"/jaeger/trace/{TRACE}", "/"):
        async with jaeger[0].get(path) as answer:
            assert answer.status == 200
            assert "stand-in" in await answer.text()
