"""How long a dashboard's panel takes: every panel of every dashboard over half an hour of twelve pods' metrics."""

from __future__ import annotations

import asyncio
import math
import statistics
import time
from array import array
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from meshcourse.embedded.addons.grafana import dashboards, frames, main
from meshcourse.embedded.addons.grafana.api import Grafana
from meshcourse.embedded.addons.prometheus import tsdb
from meshcourse.embedded.addons.prometheus.api import Api
from meshcourse.embedded.addons.prometheus.scrape import Scraper
from tests.bench.stage import Figures

Client = TestClient[Any, Any]
PODS, SECONDS, REPEAT = 12, 1800, 5
LIMIT = 100.0
CODES = ("200", "500")
BOUNDS = (
    "0.5",
    "1",
    "5",
    "10",
    "25",
    "50",
    "100",
    "250",
    "500",
    "1000",
    "2500",
    "5000",
    "10000",
    "+Inf",
)
HISTOGRAMS = ("istio_request_duration_milliseconds", "istio_request_bytes", "istio_response_bytes")
VARIABLES = {
    "service": ["app-3.default.svc.cluster.local"],
    "namespace": ["default"],
    "workload": ["app-3-v1"],
    "qrep": ["destination"],
}  # fmt: skip


def panels() -> Figures:
    """every panel of the dashboards, over 30 minutes of 12 pods scraped each second, through Grafana's query API"""
    return asyncio.run(_measured(filled()))


def filled() -> tsdb.Database:
    """Each app calls the next three; everything is counted at both ends, every second."""
    database = tsdb.Database()
    now = time.time_ns() // 1_000_000
    times = array("q", range(now - SECONDS * 1000, now, 1000))
    for pod in range(PODS):
        timeline = tsdb.Timeline()
        timeline.times = times[:]
        for labels, slope in _series(pod):
            series = database.series(tsdb.make_labels(labels), timeline)
            series.changes = array("q", range(SECONDS))
            series.values = array("d", (math.floor(slope * second) for second in range(SECONDS)))
            series.pack()
    return database


def _series(pod: int) -> Iterator[tuple[dict[str, str], float]]:
    """The series of one pod with their rises per second."""
    own = {"pod": f"app-{pod}-v1-x", "namespace": "default", "app": f"app-{pod}", "version": "v1"}
    for step in (1, 2, 3):
        for source, target, reporter in (
            (pod, (pod + step) % PODS, "source"),
            ((pod - step) % PODS, pod, "destination"),
        ):
            for number, code in enumerate(CODES):
                labels = {
                    **own,
                    **_ends(source, target),
                    "reporter": reporter,
                    "response_code": code,
                }
                yield {"__name__": "istio_requests_total", **labels}, 20.0 / (1 + 9 * number)
                for name in HISTOGRAMS:
                    yield from _histogram(name, labels)
    for name in ("envoy_server_memory_allocated", "envoy_server_total_connections"):
        yield {"__name__": name, **own}, 1.0


def _histogram(name: str, labels: dict[str, str]) -> Iterator[tuple[dict[str, str], float]]:
    for index, bound in enumerate(BOUNDS):
        yield (
            {"__name__": f"{name}_bucket", **labels, "le": bound},
            20.0 * (index + 1) / len(BOUNDS),
        )
    yield {"__name__": f"{name}_sum", **labels}, 300.0
    yield {"__name__": f"{name}_count", **labels}, 20.0


def _ends(source: int, target: int) -> dict[str, str]:
    """The labels of both ends, as many as Istio has."""
    found = {
        "destination_service": f"app-{target}.default.svc.cluster.local",
        "destination_service_name": f"app-{target}",
        "destination_service_namespace": "default",
        "request_protocol": "http",
        "response_flags": "-",
        "connection_security_policy": "mutual_tls",
        "grpc_response_status": "",
    }
    for end, number in (("source", source), ("destination", target)):
        found |= {
            f"{end}_workload": f"app-{number}-v1",
            f"{end}_workload_namespace": "default",
            f"{end}_principal": f"spiffe://cluster.local/ns/default/sa/app-{number}",
            f"{end}_app": f"app-{number}",
            f"{end}_version": "v1",
            f"{end}_canonical_service": f"app-{number}",
            f"{end}_canonical_revision": "v1",
            f"{end}_cluster": "Kubernetes",
        }
    return found


async def _measured(database: tsdb.Database) -> Figures:
    took: dict[str, float] = {}
    async with _grafana(database) as client:
        for uid, board in dashboards.ALL.items():
            for panel in (each for each in board["panels"] if each.get("targets")):
                title = f"{uid}: {frames.substituted(panel['title'], VARIABLES)}"
                times = []
                for _ in range(REPEAT):
                    database.changed()  # a scrape has come meanwhile: nothing is remembered
                    times.append(await _ask(client, panel))
                took[title] = statistics.median(times)
    slowest = sorted(took.items(), key=lambda item: -item[1])
    return {
        "series": len(database),
        "samples": len(database) * SECONDS,
        "panels": len(took),
        f"slowest panel, ms (at most {LIMIT:.0f})": round(slowest[0][1], 1),
        **{f"ms: {title}": round(each, 1) for title, each in slowest[:5]},
    }


@asynccontextmanager
async def _grafana(database: tsdb.Database) -> AsyncIterator[Client]:
    prometheus = web.Application()
    prometheus.add_routes(Api(database, Scraper(database, lambda: [], 1.0), "", "3").routes())
    async with TestServer(prometheus) as server, aiohttp.ClientSession() as session:
        app = main.application(Grafana(str(server.make_url("/")), session), "")
        async with TestClient(TestServer(app)) as client:
            yield client


async def _ask(client: Client, panel: dict[str, Any]) -> float:
    """Milliseconds until a panel has all its answers, as the page asks for them."""
    queries = [
        {**each, "expr": frames.substituted(each["expr"], VARIABLES), "maxDataPoints": 120}
        for each in panel["targets"]
    ]
    began = time.perf_counter()
    body = {"queries": queries, "from": "now-30m", "to": "now"}
    async with client.post("/api/ds/query", json=body) as answer:
        found = await answer.json()
    took = (time.perf_counter() - began) * 1000
    failed = [each["error"] for each in found["results"].values() if each.get("error")]
    if answer.status != 200 or failed:
        raise RuntimeError(f"{panel['title']}: {failed or answer.status}")
    return took
