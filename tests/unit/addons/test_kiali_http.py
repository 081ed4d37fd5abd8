"""Kiali's HTTP API over a Prometheus that answers what a test says."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from meshcourse.embedded.addons.kiali import api, main
from meshcourse.embedded.addons.kiali.api import Kiali
from meshcourse.embedded.addons.kiali.mesh import Mesh
from meshcourse.embedded.addons.kiali.options import Options
from meshcourse.embedded.addons.kiali.sources import Objects, Prometheus
from meshcourse.embedded.client.protocol import ListResult
from meshcourse.embedded.kube import refs
from meshcourse.embedded.kube.status import ApiError
from tests.unit.addons.kiali_mesh import mesh, sample

Client = TestClient[Any, Any]
ROUTE = """
kind: VirtualService
metadata: {name: reviews}
spec: {hosts: [reviews], http: [{route: [{destination: {host: reviews, subset: v9}}]}]}
"""


async def _query(request: web.Request) -> web.Response:
    text = str((await request.post())["query"])
    if "broken" in text:
        return web.json_response({"status": "error", "error": "parse error"}, status=400)
    found = sample("productpage-v1", "details-v1", 2) if "istio_requests_total" in text else None
    result = [{"metric": dict(found.labels), "value": [1, str(found.value)]}] if found else []
    return web.json_response({"status": "success", "data": {"result": result}})


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    upstream = web.Application()
    upstream.add_routes([web.post("/api/v1/query", _query)])
    async with TestServer(upstream) as server, aiohttp.ClientSession() as session:
        kiali = Kiali(Prometheus(str(server.make_url("/")), session), lambda: mesh(ROUTE))
        async with TestClient(TestServer(main.application(kiali, "/kiali"))) as found:
            yield found


async def test_graph(client: Client) -> None:
    answer = await client.get("/kiali/api/namespaces/graph", params={"namespaces": "default"})
    body = await answer.json()
    assert (answer.status, body["duration"], body["graphType"]) == (200, 600, "workload")
    [edge] = [
        one["data"] for one in body["elements"]["edges"] if one["data"]["traffic"].get("rates")
    ]
    assert edge["traffic"]["rates"]["http"] == "2.00"
    assert set(edge) >= {"id", "source", "target", "traffic", "healthStatus"}


@pytest.mark.parametrize(
    ("query", "status", "text"),
    [
        ("", 400, "At least one namespace"),
        ("namespaces=default&duration=x", 400, "Invalid duration [x]"),
        ("namespaces=gone", 403, "Requested namespace [gone] is not accessible."),
    ],
)
async def test_refusals(client: Client, query: str, status: int, text: str) -> None:
    answer = await client.get(f"/kiali/api/namespaces/graph?{query}")
    assert answer.status == status
    assert text in (await answer.json())["error"]


async def test_health(client: Client) -> None:
    body = await (await client.get("/kiali/api/clusters/health?namespaces=default")).json()
    assert set(body) == {
        "namespaceAppHealth",
        "namespaceServiceHealth",
        "namespaceWorkloadHealth",
        "namespaceHealth",
    }
    assert body["namespaceServiceHealth"]["default"]["details"]["status"]["status"] == "Healthy"
    assert body["namespaceHealth"]["default"]["worstStatus"] == "Healthy"
    one = await (await client.get("/kiali/api/clusters/health?namespaces=default&type=app")).json()
    assert set(one) == {"namespaceAppHealth", "namespaceHealth"}
    for bad in ("type=pie", "rateInterval=x"):
        assert (await client.get(f"/kiali/api/clusters/health?{bad}")).status == 400


async def test_configuration(client: Client) -> None:
    body = await (await client.get("/kiali/api/istio/config?namespaces=default")).json()
    kind = "networking.istio.io/v1, Kind=VirtualService"
    assert [one["metadata"]["name"] for one in body["resources"][kind]] == ["reviews"]
    found = body["validations"][kind]["reviews.default"]
    assert found["checks"] == [
        {
            "code": "KIA1107",
            "message": "Subset not found",
            "severity": "warning",
            "path": "spec/http[0]/route[0]/destination",
        }
    ]
    assert found["objectGVK"]["Kind"] == "VirtualService"
    assert found["valid"]
    own = await (await client.get("/kiali/api/namespaces/empty/istio?validate=false")).json()
    assert own["validations"] == {}
    assert own["resources"][kind] == []
    [summary] = await (await client.get("/kiali/api/istio/validations?namespaces=default")).json()
    assert (summary["errors"], summary["warnings"], summary["objectCount"]) == (0, 1, 1)


async def test_lists(client: Client) -> None:
    spaces = await (await client.get("/kiali/api/namespaces")).json()
    assert [one["name"] for one in spaces] == ["default", "empty", "istio-system"]
    assert [one["isControlPlane"] for one in spaces] == [False, False, True]
    found = await (await client.get("/kiali/api/clusters/services?namespaces=default")).json()
    reviews = next(one for one in found["services"] if one["name"] == "reviews")
    assert reviews["istioSidecar"]
    assert [one["name"] for one in reviews["istioReferences"]] == ["reviews"]
    query = "namespaces=default&health=true"
    found = await (await client.get(f"/kiali/api/clusters/workloads?{query}")).json()
    details = found["workloads"][0]
    assert (details["name"], details["podCount"]) == ("details-v1", 1)
    assert details["health"]["status"]["status"] == "Healthy"
    found = await (await client.get("/kiali/api/clusters/apps?namespaces=default")).json()
    assert found["applications"][0]["name"] == "details"


async def test_status_and_probes(client: Client) -> None:
    body = await (await client.get("/kiali/api/status")).json()
    assert body["status"]["Kiali state"] == "running"
    assert body["warningMessages"] == []
    for path in ("/kiali/healthz", "/healthz"):
        assert (await client.get(path)).status == 200


async def test_page(client: Client) -> None:
    for path in ("/kiali/", "/kiali/console/graph/namespaces", "/", "/kiali"):
        text = await (await client.get(path)).text()
        assert "function layered" in text
        assert "https://" not in text
        assert "/*page" not in text


async def test_prometheus_that_is_not_there(unused_tcp_port: int) -> None:
    url = f"http://127.0.0.1:{unused_tcp_port}"
    async with aiohttp.ClientSession() as session:
        app = main.application(Kiali(Prometheus(url, session), mesh), "")
        async with TestClient(TestServer(app)) as client:
            answer = await client.get("/api/namespaces/graph?namespaces=default")
            assert answer.status == 503
            assert "is its add-on installed" in (await answer.json())["error"]
            assert (await (await client.get("/api/status")).json())["warningMessages"]


def test_young_namespaces_have_a_short_past() -> None:
    created = dt.datetime(2026, 1, 1, tzinfo=dt.UTC).timestamp()
    wanted = Options(("default",), duration=60)
    assert api.durations(wanted, mesh(), created + 25) == {"default": 25}
    assert api.durations(wanted, mesh(), created + 2500) == {"default": 60}


class _Kinds:
    """A client that knows namespaces at once and VirtualServices from the second time on."""

    def __init__(self) -> None:
        self.asked = 0

    async def list(
        self, resource: refs.Resource, namespace: str | None = None, **_: str
    ) -> ListResult:
        if resource is refs.VIRTUALSERVICES:
            self.asked += 1
            if self.asked == 1:
                raise ApiError(404, "NotFound", "no such kind")
        found = mesh(ROUTE).all(resource)
        return ListResult(found, "1")

    async def watch(self, *_: object, **__: object) -> AsyncIterator[Any]:
        await _forever()
        yield None


async def _forever() -> None:
    await asyncio.Event().wait()


async def test_kinds_that_come_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("meshcourse.embedded.addons.kiali.sources._RETRY", 0.01)
    found = Objects(_Kinds(), (refs.NAMESPACES, refs.VIRTUALSERVICES))  # type: ignore[arg-type]
    await found.start()
    try:
        assert len(found.snapshot().namespaces) == 3

        async def arrived() -> Mesh:
            while not found.snapshot().all(refs.VIRTUALSERVICES):
                await asyncio.sleep(0.01)
            return found.snapshot()

        snapshot = await asyncio.wait_for(arrived(), 5)
        assert len(snapshot.all(refs.VIRTUALSERVICES)) == 1
    finally:
        await found.stop()
