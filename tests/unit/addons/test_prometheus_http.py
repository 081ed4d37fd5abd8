"""Scraping a real HTTP server and asking the API, as clients do."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import pytest
import yaml
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from meshcourse.embedded.addons.prometheus import main, real, targets, tsdb
from meshcourse.embedded.addons.prometheus.api import Api, number, parse_duration, parse_time
from meshcourse.embedded.addons.prometheus.scrape import Scraper, milliseconds
from meshcourse.embedded.addons.prometheus.targets import Target
from meshcourse.embedded.kube import addresses

Ask = Callable[..., Awaitable[tuple[int, Any]]]


class Workload:
    """Something to scrape whose metrics the test sets."""

    def __init__(self) -> None:
        self.text = ""
        self.status = 200

    async def metrics(self, request: web.Request) -> web.Response:
        return web.Response(text=self.text, status=self.status)


@pytest.fixture
async def workload() -> AsyncIterator[tuple[Workload, Target]]:
    found = Workload()
    app = web.Application()
    app.router.add_get("/metrics", found.metrics)
    async with TestServer(app) as server:
        labels = (("instance", "i"), ("job", "j"), ("namespace", "default"), ("pod", "p"))
        yield found, Target(str(server.make_url("/metrics")), labels)


@pytest.fixture
async def stack(workload: tuple[Workload, Target]) -> AsyncIterator[tuple[Workload, Scraper, Ask]]:
    database = tsdb.Database()
    scraper = Scraper(database, lambda: [workload[1]], 1.0)
    app = web.Application()
    app.add_routes(Api(database, scraper, "global: {}", "3.0").routes())
    async with TestClient(TestServer(app)) as client:

        async def ask(path: str, **params: str) -> tuple[int, Any]:
            async with client.get(path, params=params) as answer:
                return answer.status, await answer.json()

        yield workload[0], scraper, ask


async def test_what_a_workload_shows_can_be_asked(stack: tuple[Workload, Scraper, Ask]) -> None:
    workload, scraper, ask = stack
    workload.text = '# TYPE m counter\nm{code="200",pod="mine"} 5\nrequests_total 2\n'
    async with aiohttp.ClientSession() as session:
        await scraper.round(session)
    code, body = await ask("/api/v1/query", query='m{code="200"}')
    assert code == 200
    result = body["data"]["result"]
    assert [row["value"][1] for row in result] == ["5"]
    assert result[0]["metric"]["pod"] == "p"
    assert result[0]["metric"]["exported_pod"] == "mine"
    _, names = await ask("/api/v1/label/__name__/values")
    assert names["data"] == ["m", "requests_total", "up"]


async def test_a_series_that_vanishes_is_gone_at_once(stack: tuple[Workload, Scraper, Ask]) -> None:
    workload, scraper, ask = stack
    async with aiohttp.ClientSession() as session:
        for workload.text in ("a 1\nb 1\n", "b 1\n"):
            await scraper.round(session)
    _, body = await ask("/api/v1/query", query='{__name__=~"a|b"}')
    assert [row["metric"]["__name__"] for row in body["data"]["result"]] == ["b"]


@pytest.mark.parametrize("trouble", ["status", "format"])
async def test_a_failed_scrape_is_reported_and_stores_nothing(
    stack: tuple[Workload, Scraper, Ask], trouble: str
) -> None:
    workload, scraper, ask = stack
    workload.text = "a 1\n"
    async with aiohttp.ClientSession() as session:
        await scraper.round(session)
        workload.status = 500 if trouble == "status" else 200
        workload.text = "a 2\nnew{x} 3\n"
        await scraper.round(session)
    _, up = await ask("/api/v1/query", query="up")
    assert up["data"]["result"][0]["value"][1] == "0"
    _, rest = await ask("/api/v1/query", query='{__name__=~"a|new"}')
    assert rest["data"]["result"] == []
    _, found = await ask("/api/v1/targets")
    target = found["data"]["activeTargets"][0]
    assert target["health"] == "down"
    assert ("500" if trouble == "status" else "invalid labels") in target["lastError"]


async def test_a_target_that_goes_takes_its_series_with_it() -> None:
    database = tsdb.Database()
    present = [Target("http://127.0.0.1:1/metrics", (("job", "j"), ("pod", "p")))]
    scraper = Scraper(database, lambda: present, 1.0)
    async with aiohttp.ClientSession() as session:
        await scraper.round(session)
        (up,) = database.select([])
        assert not up.gone
        present.clear()
        await scraper.round(session)
    assert up.gone
    assert scraper.loops == {}


@pytest.mark.parametrize(
    ("path", "params", "code", "text"),
    [
        ("/api/v1/query", {"query": "sum("}, 400, "parse error: unclosed left parenthesis"),
        ("/api/v1/query", {}, 400, 'invalid parameter "query"'),
        ("/api/v1/query", {"query": "1", "time": "noon"}, 400, 'cannot parse "noon" to a valid timestamp'),
        ("/api/v1/query", {"query": "count_values('x', up)"}, 400, "count_values"),
        ("/api/v1/query_range", {"query": "1", "start": "0", "end": "10", "step": "0"}, 400, "zero or negative"),
        ("/api/v1/query_range", {"query": "1", "start": "10", "end": "0", "step": "1"}, 400, "before start"),
        ("/api/v1/query_range", {"query": "1", "start": "0", "end": "99999", "step": "1"}, 400, "11,000 points"),
        ("/api/v1/series", {}, 400, "no match[]"),
        ("/api/v1/series", {"match[]": "1 + 1"}, 400, "not a series selector"),
    ],
)  # fmt: skip
async def test_errors_have_prometheus_form(
    stack: tuple[Workload, Scraper, Ask], path: str, params: dict[str, str], code: int, text: str
) -> None:
    status, body = await stack[2](path, **params)
    assert status == code
    assert body["status"] == "error"
    assert body["errorType"] == "bad_data"
    assert text in body["error"]


async def test_result_types(stack: tuple[Workload, Scraper, Ask]) -> None:
    workload, scraper, ask = stack
    workload.text = "a 1\n"
    async with aiohttp.ClientSession() as session:
        await scraper.round(session)
    expected = {"a": "vector", "a[1m]": "matrix", "1 + 1": "scalar", '"text"': "string"}
    for query, kind in expected.items():
        _, body = await ask("/api/v1/query", query=query)
        assert body["data"]["resultType"] == kind
    now = milliseconds() / 1000
    _, body = await ask(
        "/api/v1/query_range", query="a", start=str(now - 10), end=str(now), step="5s"
    )
    assert body["data"]["resultType"] == "matrix"
    assert body["data"]["result"][0]["values"][-1][1] == "1"


def test_times_durations_and_numbers() -> None:
    assert parse_time("1.5") == 1500
    assert parse_time("2026-01-01T00:00:00Z") == 1767225600000
    assert parse_duration("1h30m") == 5_400_000
    assert parse_duration("250ms") == 250
    for text in ("", "5x", "m5"):
        with pytest.raises(ValueError, match="cannot parse"):
            parse_duration(text)
    shown = [number(value) for value in (1.0, 0.1, float("nan"), float("-inf"), 1e20)]
    assert shown == ["1", "0.1", "NaN", "-Inf", "1e+20"]


def test_the_interval_comes_from_the_configuration() -> None:
    assert main.interval_of("global:\n  scrape_interval: 2s\n") == 2.0
    assert main.interval_of("") == 60.0
    with pytest.raises(ValueError, match=r"prometheus\.yml"):
        main.interval_of("a: [")


def test_a_real_prometheus_is_told_its_targets() -> None:
    found = yaml.safe_load(
        real.configuration("global: {scrape_interval: 1s}\nscrape_configs: [{job_name: x}]\n")
    )
    assert found["global"] == {"scrape_interval": "1s"}
    assert found["scrape_configs"] == [
        {"job_name": "kubernetes-pods", "file_sd_configs": [{"files": ["targets.json"]}]}
    ]
    target = Target(
        "http://127.66.0.5:15020/stats/prometheus", (("namespace", "default"), ("pod", "p"))
    )
    assert json.loads(real.target_groups([target])) == [
        {
            "targets": ["127.66.0.5:15020"],
            "labels": {"namespace": "default", "pod": "p", "__metrics_path__": "/stats/prometheus"},
        }
    ]


def pod(**annotations: str) -> dict[str, Any]:
    place = addresses.PodAddresses("127.66.0.5", "127.66.128.5", {})
    return {
        "metadata": {
            "name": "web-1",
            "namespace": "default",
            "labels": {"app.kubernetes.io/name": "web"},
            "annotations": {addresses.ANNOTATION: place.render(), **annotations},
        },
        "spec": {"nodeName": "node"},
        "status": {"phase": "Running"},
    }


ASKS = {"prometheus.io/scrape": "true", "prometheus.io/port": "15020"}


def test_pods_that_ask_are_targets() -> None:
    target = targets.of_pod(pod(**ASKS, **{"prometheus.io/path": "/stats/prometheus"}))
    assert target is not None
    assert target.url == "http://127.66.0.5:15020/stats/prometheus"
    assert dict(target.labels) == {
        "job": "kubernetes-pods",
        "instance": "127.66.0.5:15020",
        "namespace": "default",
        "pod": "web-1",
        "node": "node",
        "app_kubernetes_io_name": "web",
    }


@pytest.mark.parametrize(
    "asks", [{}, {"prometheus.io/scrape": "true"}, {**ASKS, "prometheus.io/scrape": "no"}]
)
def test_other_pods_are_not(asks: dict[str, str]) -> None:
    assert targets.of_pod(pod(**asks)) is None


def test_a_pod_that_does_not_run_is_not() -> None:
    waiting = pod(**ASKS)
    waiting["status"]["phase"] = "Pending"
    assert targets.of_pod(waiting) is None
