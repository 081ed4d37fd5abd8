"""The clients of the add-ons against the stand-ins' own applications, and against recorded shapes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from aiohttp import ClientSession
from aiohttp import web as aio
from aiohttp.test_utils import TestServer

from meshcourse.embedded.addons.grafana import main as grafana_main
from meshcourse.embedded.addons.grafana.api import Grafana as GrafanaRoutes
from meshcourse.embedded.addons.jaeger import main as jaeger_main
from meshcourse.embedded.addons.jaeger import zipkin
from meshcourse.embedded.addons.jaeger.store import Store
from meshcourse.embedded.addons.prometheus import tsdb
from meshcourse.embedded.addons.prometheus.api import Api
from meshcourse.embedded.addons.prometheus.scrape import Scraper, milliseconds
from meshcourse.observe import jaeger, web
from meshcourse.observe.grafana import Grafana
from meshcourse.observe.jaeger import Jaeger
from meshcourse.observe.prometheus import Prometheus, Sample, Vector
from meshcourse.observe.web import AddonError

TRACE = "0000000000000000000000000000abcd"


async def call(function: Callable[..., Any], *args: Any, **named: Any) -> Any:
    """A blocking client, off the loop that serves it."""
    return await asyncio.to_thread(function, *args, **named)


def base(server: TestServer, path: str = "") -> Callable[[], str]:
    return lambda: str(server.make_url(path)).rstrip("/")


@pytest.fixture
async def prometheus_server() -> AsyncIterator[TestServer]:
    database = tsdb.Database()
    now = milliseconds()
    for code, step in (("200", 2.0), ("503", 1.0)):
        labels = {"__name__": "hits", "code": code}
        database.load(labels, [(now - 60_000 + i * 1000, i * step) for i in range(61)])
    app = aio.Application()
    config = "global:\n  scrape_interval: 1s\n"
    app.add_routes(Api(database, Scraper(database, lambda: [], 1.0), config, "3.0").routes())
    async with TestServer(app) as server:
        yield server


@pytest.fixture
def prometheus(prometheus_server: TestServer) -> Prometheus:
    return Prometheus(base(prometheus_server))


async def test_an_instant_query_gives_values_by_label(prometheus: Prometheus) -> None:
    found = await call(prometheus.query, "hits")
    assert found.by("code") == {"200": 120.0, "503": 60.0}
    assert (await call(prometheus.query, "sum(hits)")).value == 180.0
    assert (await call(prometheus.query, "sum(nothing)")).value == 0.0
    assert (await call(prometheus.query, "2 * 3")).value == 6.0
    assert 'hits{code="200"}' in repr(found)
    assert "<td>120</td>" in found._repr_html_()
    with pytest.raises(AddonError, match="2 results"):
        _ = found.value


async def test_a_range_query_gives_lines(prometheus: Prometheus) -> None:
    found = await call(prometheus.range, "hits", minutes=0.5, step=1.0)
    assert len(found) == 2
    line = found.series[0]
    assert 29 <= len(line.times) <= 31
    assert list(line.values) == sorted(line.values)
    assert found.end - found.start == pytest.approx(30)


async def test_refusals_are_in_prometheus_own_words(prometheus: Prometheus) -> None:
    with pytest.raises(AddonError, match="parse error"):
        await call(prometheus.query, "sum(")
    with pytest.raises(AddonError, match="range of samples"):
        await call(prometheus.query, "hits[1m]")
    assert await call(prometheus.scrape_interval) == 1.0


async def test_an_absent_addon_is_named_with_a_remedy() -> None:
    with pytest.raises(AddonError, match=r"Prometheus at http://127\.0\.0\.1:1") as caught:
        await call(Prometheus(lambda: "http://127.0.0.1:1").query, "1")
    assert 'mesh.ensure("prometheus")' in caught.value.remedy


async def test_a_panel_shows_what_its_query_says(prometheus_server: TestServer) -> None:
    async with ClientSession() as session:
        routes = GrafanaRoutes(base(prometheus_server)(), session)
        async with TestServer(grafana_main.application(routes, "")) as server:
            client = Grafana(base(server))
            uid = next(iter((await call(client.dashboards)).values()))
            panels = await call(client.panels, uid)
            assert panels
            with pytest.raises(AddonError, match="no panel") as caught:
                await call(client.panel, uid, "nonsense")
            assert panels[0].title in caught.value.remedy
            shown = await call(client.panel, uid, panels[0].title)
            assert shown.queries
            asked = type(shown)("t", "stat", ("sum(hits)",), shown.source)
            assert await call(client.value, asked, time.time()) == 180.0
            broken = type(shown)("t", "stat", ("sum(",), shown.source)
            with pytest.raises(AddonError, match="parse error"):
                await call(client.value, broken, time.time())


def span(number: int, parent: int, service: str, **more: Any) -> dict[str, Any]:
    now = time.time_ns() // 1000
    raw = {
        "traceId": "abcd", "id": f"{number:016x}", "name": f"{service}:9080/*", "kind": "SERVER",
        "timestamp": now - 1_000_000 + 1000 * number, "duration": 5000,
        "localEndpoint": {"serviceName": service}, "tags": {"user_agent": "me"},
    }  # fmt: skip
    return {**raw, **({"parentId": f"{parent:016x}"} if parent else {}), **more}


SPANS = [
    span(1, 0, "productpage.default"),
    span(2, 1, "reviews.default"),
    span(3, 2, "ratings.default", tags={"error": "true"}),
]


@pytest.fixture
async def jaeger_server() -> AsyncIterator[TestServer]:
    store = Store()
    store.add(zipkin.decode(SPANS))
    async with TestServer(jaeger_main.query_app(store, "/jaeger")) as server:
        yield server


async def test_a_trace_is_a_tree(jaeger_server: TestServer) -> None:
    client = Jaeger(base(jaeger_server, "/jaeger"))
    trace = await call(client.trace, TRACE)
    assert [(each.service, depth) for each, depth in trace.tree()] == [
        ("productpage.default", 0),
        ("reviews.default", 1),
        ("ratings.default", 2),
    ]
    assert [each.failed for each in trace.spans] == [False, False, True]
    assert trace.spans[0].tags["user_agent"] == "me"
    assert len(trace.roots) == 1
    assert trace.duration == pytest.approx(0.007, rel=0.05)
    assert "FAILED" in repr(trace)


async def test_traces_are_found_by_service(jaeger_server: TestServer) -> None:
    client = Jaeger(base(jaeger_server, "/jaeger"))
    assert "reviews.default" in await call(client.services)
    (found,) = await call(client.traces, "reviews.default", minutes=60)
    assert found.id == TRACE
    assert await call(client.traces, "nobody.default", minutes=60) == []
    assert await call(client.trace, "f" * 32) is None


async def test_the_older_api_serves_where_v3_is_not_there(jaeger_server: TestServer) -> None:
    """A Jaeger without /api/v3: the same questions, the same answers."""

    async def relay(request: aio.Request) -> aio.StreamResponse:
        if "/api/v3" in request.path:
            return aio.json_response({"error": "no such path"}, status=404)
        async with ClientSession() as session:
            async with session.get(jaeger_server.make_url(request.path_qs)) as answer:
                return aio.Response(
                    body=await answer.read(), status=answer.status, content_type="application/json"
                )

    app = aio.Application()
    app.router.add_get("/{path:.*}", relay)
    async with TestServer(app) as server:
        client = Jaeger(base(server, "/jaeger"))
        new = Jaeger(base(jaeger_server, "/jaeger"))
        assert await call(client.services) == await call(new.services)
        (found,) = await call(client.traces, "reviews.default", minutes=60)
        assert [one.name for one in found.spans] == [one["name"] for one in SPANS]
        assert isinstance(await call(client.trace, TRACE), jaeger.Trace)


async def test_other_errors_keep_the_addons_words() -> None:
    async def refuse(request: aio.Request) -> aio.Response:
        return aio.json_response({"error": "namespaces is required"}, status=400)

    app = aio.Application()
    app.router.add_get("/x", refuse)
    async with TestServer(app) as server:
        with pytest.raises(AddonError, match="Kiali: namespaces is required"):
            await call(web.get, "Kiali", str(server.make_url("/x")))
        with pytest.raises(web.NotServed):
            await call(web.get, "Kiali", str(server.make_url("/y")))


class Waking(Prometheus):
    """Knows of no target at first, then of one that has counted already."""

    def __init__(self) -> None:
        super().__init__(lambda: "http://nowhere")
        self.began = time.monotonic()

    def query(self, query: str, at: float | None = None) -> Vector:
        awake = time.monotonic() - self.began > 0.5
        return Vector(query, (Sample({}, 7.0),) if awake else ())

    def scrape_interval(self) -> float:
        return 0.0


def test_a_prometheus_without_targets_is_not_at_rest() -> None:
    assert Waking().settled("hits").value == 7.0
    with pytest.raises(AddonError, match="still changes"):
        Waking().settled("hits", seconds=0.2)
