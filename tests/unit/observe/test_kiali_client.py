"""Kiali's answers as values."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from meshcourse.observe.kiali import Kiali
from meshcourse.observe.web import AddonError

ELEMENTS = {
    "nodes": [
        {"data": {"id": "g", "nodeType": "app", "app": "istio-ingressgateway", "version": "latest", "isRoot": True}},
        {"data": {"id": "p", "nodeType": "app", "app": "productpage", "version": "v1", "namespace": "default"}},
        {"data": {"id": "r1", "nodeType": "app", "app": "reviews", "version": "v1", "parent": "box"}},
        {"data": {"id": "r2", "nodeType": "app", "app": "reviews", "version": "v2", "parent": "box"}},
        {"data": {"id": "box", "nodeType": "box", "app": "reviews", "isBox": "app"}},
        {"data": {"id": "m", "nodeType": "service", "service": "mongo"}},
    ],
    "edges": [
        {"data": {"id": "1", "source": "g", "target": "p", "isMTLS": "100", "responseTime": "12",
                  "traffic": {"protocol": "http", "rates": {"http": "4.00", "httpPercentReq": "100"},
                              "responses": {"200": {"flags": {"-": "100.0"}, "hosts": {}}}}}},
        {"data": {"id": "2", "source": "p", "target": "r1",
                  "traffic": {"protocol": "http", "rates": {"http": "2.00", "http5xx": "1.00"}}}},
        {"data": {"id": "3", "source": "p", "target": "r2",
                  "traffic": {"protocol": "http", "rates": {"http": "2.00", "http5xx": "0.02"}}}},
        {"data": {"id": "4", "source": "r1", "target": "m",
                  "traffic": {"protocol": "tcp", "rates": {"tcp": "310.5"}}}},
        {"data": {"id": "5", "source": "r2", "target": "r1", "traffic": {}}},
    ],
}  # fmt: skip
VALIDATIONS = {
    "networking.istio.io/v1, Kind=VirtualService": {
        "reviews.default": {
            "name": "reviews", "valid": False,
            "checks": [{"code": "KIA1107", "message": "KIA1107 Subset not found",
                        "severity": "warning", "path": "spec/http[0]/route[0]/destination/subset"}],
        },
        "bookinfo.default": {"name": "bookinfo", "valid": True, "checks": []},
    }
}  # fmt: skip


class Fake:
    """Remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[dict[str, str]] = []

    async def graph(self, request: web.Request) -> web.Response:
        self.asked.append(dict(request.query))
        if request.query.get("namespaces") == "empty":
            return web.json_response({"elements": {"nodes": None, "edges": None}})
        return web.json_response({"timestamp": 1, "duration": 60, "elements": ELEMENTS})

    async def istio(self, request: web.Request) -> web.Response:
        assert request.query["validate"] == "true"
        found = VALIDATIONS if request.match_info["ns"] == "default" else {}
        return web.json_response({"resources": {}, "validations": found})

    async def status(self, request: web.Request) -> web.Response:
        return web.json_response({"status": {"Kiali version": "v2.26.0"}})

    async def namespaces(self, request: web.Request) -> web.Response:
        return web.json_response([{"name": "istio-system"}, {"name": "default"}])


@pytest.fixture
async def served() -> AsyncIterator[tuple[Kiali, Fake]]:
    fake, app = Fake(), web.Application()
    app.router.add_get("/kiali/api/namespaces/graph", fake.graph)
    app.router.add_get("/kiali/api/namespaces/{ns}/istio", fake.istio)
    app.router.add_get("/kiali/api/status", fake.status)
    app.router.add_get("/kiali/api/namespaces", fake.namespaces)
    async with TestServer(app) as server:
        yield Kiali(lambda: str(server.make_url("/kiali"))), fake


async def graph(client: Kiali, *args: Any, **named: Any) -> Any:
    return await asyncio.to_thread(client.graph, *args, **named)


async def test_edges_have_rates_states_and_locks(served: tuple[Kiali, Fake]) -> None:
    client, fake = served
    found = await graph(client, ["default", "shop"], seconds=90)
    assert fake.asked[0]["namespaces"] == "default,shop"
    assert fake.asked[0]["duration"] == "90s"
    assert {node.id for node in found.nodes} == {"g", "p", "r1", "r2", "m"}
    (first,) = found.between("istio-ingressgateway", "productpage")
    assert (first.rate, first.mtls, first.milliseconds, first.state) == (
        4.0,
        100.0,
        12.0,
        "healthy",
    )
    assert first.codes == {"200": 100.0}
    assert found.rate("productpage", "reviews") == 4.0
    assert found.rate("productpage", "reviews v2") == 2.0
    states = {edge.target.label: edge.state for edge in found.between("productpage", "reviews")}
    assert states == {"reviews v1": "failing", "reviews v2": "degraded"}


async def test_words_say_what_the_picture_shows(served: tuple[Kiali, Fake]) -> None:
    found = repr(await graph(served[0]))
    assert "productpage v1 → reviews v1: 2.00 req/s, 50% failed, failing" in found
    assert "reviews v1 → mongo: 310.50 B/s, healthy" in found
    assert "productpage v1: 4.00 req/s, mTLS, healthy" in found


async def test_an_empty_graph_says_why(served: tuple[Kiali, Fake]) -> None:
    found = await graph(served[0], ["empty"])
    assert found.edges == ()
    assert "no traffic in the last 60 s" in repr(found)


async def test_remarks_have_codes_and_places(served: tuple[Kiali, Fake]) -> None:
    found = await asyncio.to_thread(served[0].remarks, "default")
    assert (len(found), found.objects, found.codes) == (1, 2, ["KIA1107"])
    (remark,) = found
    assert (remark.kind, remark.name, remark.namespace) == ("VirtualService", "reviews", "default")
    assert remark.message == "Subset not found"
    assert "spec/http[0]" in found._repr_html_()
    nothing = await asyncio.to_thread(served[0].remarks, "shop")
    assert repr(nothing) == "0 objects, nothing to remark"


async def test_status_and_namespaces(served: tuple[Kiali, Fake]) -> None:
    assert await asyncio.to_thread(served[0].namespaces) == ["default", "istio-system"]
    assert "status" in await asyncio.to_thread(served[0].status)
    with pytest.raises(AddonError, match=r"ensure\(\"kiali\"\)|does not answer"):
        await graph(Kiali(lambda: "http://127.0.0.1:1"))
