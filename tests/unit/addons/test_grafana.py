"""Dashboards, data frames and Grafana's API over a Prometheus of our own."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import orjson
import promql_parser
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from meshcourse.embedded.addons.grafana import dashboards, frames, main
from meshcourse.embedded.addons.grafana.api import Grafana
from meshcourse.embedded.addons.prometheus import tsdb
from meshcourse.embedded.addons.prometheus.api import Api
from meshcourse.embedded.addons.prometheus.scrape import Scraper, milliseconds

Client = TestClient[Any, Any]
VARIABLES = {
    "service": ["details.default.svc.cluster.local"],
    "namespace": ["default"],
    "workload": ["details-v1"],
    "qrep": ["destination", "source"],
}
EXPRESSIONS = [
    (uid, panel["title"], target["expr"])
    for uid, board in dashboards.ALL.items()
    for panel in board["panels"]
    for target in panel.get("targets", [])
]


def test_there_are_dashboards() -> None:
    assert set(dashboards.ALL) == {"mesh", "service", "workload", "performance"}
    assert len(EXPRESSIONS) > 40


@pytest.mark.parametrize(("uid", "title", "expression"), EXPRESSIONS)
def test_every_query_is_promql_and_uses_known_variables(
    uid: str, title: str, expression: str
) -> None:
    written = frames.substituted(expression, VARIABLES)
    assert "$" not in written
    promql_parser.parse(written)


@pytest.mark.parametrize("board", dashboards.ALL.values(), ids=list(dashboards.ALL))
def test_panels_lie_on_the_grid_without_overlap(board: dict[str, Any]) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in board["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert max(x for x, _ in cells) < 24
        assert not cells & taken, panel["title"]
        taken |= cells
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])


@pytest.mark.parametrize("board", dashboards.ALL.values(), ids=list(dashboards.ALL))
def test_variables_find_their_values(board: dict[str, Any]) -> None:
    """The regular expression is applied to what Grafana shows of a query's result."""
    shown = '{destination_service="a.b", destination_workload_namespace="default", destination_workload="w"} 1 2'
    for variable in board["templating"]["list"]:
        if variable["type"] == "query":
            found = re.search(variable["regex"].strip("/"), shown)
            assert found
            assert found[1] in ("a.b", "default", "w")


def test_substitution() -> None:
    assert frames.substituted(
        'a{x=~"$qrep", y="${service}"}', {"qrep": ["a", "b"], "service": ["s"]}
    ) == ('a{x=~"(a|b)", y="s"}')
    assert frames.substituted("$workload $workloads", {"workload": ["w"]}) == "w $workloads"


def test_legends() -> None:
    labels = {"__name__": "m", "pod": "p", "code": "200"}
    assert frames.legend("{{pod}}: {{ code }}{{missing}}", labels) == "p: 200"
    assert frames.legend("", labels) == 'm{pod="p", code="200"}'


def test_frames_have_time_and_value() -> None:
    answer = {
        "resultType": "matrix",
        "result": [{"metric": {"a": "b"}, "values": [[1.5, "2"], [2.5, "NaN"]]}],
    }
    (frame,) = frames.frames(answer, "A", "{{a}}")
    assert [field["type"] for field in frame["schema"]["fields"]] == ["time", "number"]
    assert frame["data"]["values"] == [[1500, 2500], [2.0, None]]
    assert frame["schema"]["fields"][1]["config"]["displayNameFromDS"] == "b"


def test_tables_have_a_column_for_each_label() -> None:
    answer = {
        "resultType": "vector",
        "result": [
            {"metric": {"a": "1"}, "value": [1, "5"]},
            {"metric": {"b": "2"}, "value": [1, "6"]},
        ],
    }
    (frame,) = frames.table(answer, "B")
    assert [field["name"] for field in frame["schema"]["fields"]] == ["Time", "a", "b", "Value #B"]
    assert frame["data"]["values"] == [[1000, 1000], ["1", ""], ["", "2"], [5.0, 6.0]]


@pytest.fixture
async def grafana() -> AsyncIterator[tuple[Client, tsdb.Database]]:
    database = tsdb.Database()
    prometheus = web.Application()
    prometheus.add_routes(Api(database, Scraper(database, lambda: [], 1.0), "", "3").routes())
    async with TestServer(prometheus) as server, aiohttp.ClientSession() as session:
        app = main.application(Grafana(str(server.make_url("/")), session), "/grafana")
        async with TestClient(TestServer(app)) as client:
            yield client, database


async def ask(client: Client, path: str, body: object = None) -> tuple[int, Any]:
    method, data = ("POST", orjson.dumps(body)) if body is not None else ("GET", None)
    async with client.request(method, path, data=data) as answer:
        return answer.status, await answer.json()


async def test_health_search_and_dashboards(grafana: tuple[Client, tsdb.Database]) -> None:
    client, _ = grafana
    for prefix in ("", "/grafana"):
        assert (await ask(client, f"{prefix}/api/health"))[1]["database"] == "ok"
        _, found = await ask(client, f"{prefix}/api/search?type=dash-db&query=work")
        assert [board["uid"] for board in found] == ["workload"]
        code, board = await ask(client, f"{prefix}/api/dashboards/uid/mesh")
        assert (code, board["dashboard"]["title"]) == (200, "Istio Mesh")
    code, _ = await ask(client, "/api/dashboards/uid/none")
    assert code == 404
    async with client.get("/grafana/d/mesh/mesh") as page:
        assert "stand-in" in await page.text()


async def test_a_query_gives_what_prometheus_says(grafana: tuple[Client, tsdb.Database]) -> None:
    client, database = grafana
    now = milliseconds()
    database.load(
        {"__name__": "m", "pod": "p"}, [(now - 20_000 + i * 1000, float(i)) for i in range(20)]
    )
    body = {
        "queries": [
            {
                "refId": "A",
                "expr": "m",
                "legendFormat": "{{pod}}",
                "intervalMs": 1000,
                "maxDataPoints": 10,
            },
            {"refId": "B", "expr": "sum(m)", "instant": True, "format": "table"},
        ],
        "from": str(now - 10_000),
        "to": str(now),
    }
    code, answer = await ask(client, "/api/ds/query", body)
    assert code == 200
    frame = answer["results"]["A"]["frames"][0]
    assert frame["schema"]["fields"][1]["config"]["displayNameFromDS"] == "p"
    assert 8 <= len(frame["data"]["values"][0]) <= 12
    assert answer["results"]["B"]["frames"][0]["data"]["values"][-1] == [19.0]
    _, health = await ask(client, "/api/datasources/uid/prometheus/health")
    assert health["status"] == "OK"
    _, proxied = await ask(client, "/api/datasources/proxy/uid/prometheus/api/v1/query?query=m")
    assert proxied["data"]["result"][0]["value"][1] == "19"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"queries": [{"refId": "A", "expr": "sum("}]}, "parse error"),
        ({"from": "now"}, "bad request data"),
        ({"queries": [], "from": "yesterday"}, "bad request data"),
    ],
)
async def test_bad_queries_are_explained(
    grafana: tuple[Client, tsdb.Database], body: Any, message: str
) -> None:
    code, answer = await ask(grafana[0], "/api/ds/query", body)
    assert code == 400
    assert message in str(answer)


async def test_a_missing_prometheus_is_named() -> None:
    async with aiohttp.ClientSession() as session:
        app = main.application(Grafana("http://127.0.0.1:1", session), "")
        async with TestClient(TestServer(app)) as client:
            code, answer = await ask(client, "/api/datasources/uid/prometheus/health")
            assert (code, answer["status"]) == (400, "ERROR")
            assert "http://127.0.0.1:1" in answer["message"]
            code, _ = await ask(
                client, "/api/datasources/proxy/uid/prometheus/api/v1/query?query=1"
            )
            assert code == 502
