"""Changes: how soon they are everywhere, and what they cost the requests under way."""

from __future__ import annotations

import contextlib
import json
import time
import urllib.request
from collections.abc import Callable
from typing import Any

from meshcourse import course
from meshcourse.observe.result import Result
from tests.bench.stage import Figures, quantiles, running, spec, subsets, weights

CHANGES, WEIGHT_CHANGES, SUBSET_ROUNDS = 50, 50, 15
#: Seconds from one change under load to the next, so that there are requests between them.
PACE = 0.2


def changes() -> Figures:
    """a VirtualService changes: time until every sidecar has acknowledged its new routes"""
    with running() as mesh:
        mesh.apply(subsets("v1", "v3")).raise_on_error()
        idle = _change_times(mesh)
        with mesh.start_traffic("/productpage", seconds=300, rate=40) as run:
            loaded = _change_times(mesh)
            run.stop()
            failed = run.result().failed
    return {
        f"idle, ms, n = {CHANGES}": quantiles(idle),
        f"under 40 requests/s, ms, n = {CHANGES}": quantiles(loaded),
        "failed requests meanwhile": failed,
    }


def _change_times(mesh: course.Mesh) -> list[float]:
    mesh.apply(weights(v1=50, v3=50)).raise_on_error()
    return change_times(mesh, "reviews", lambda step: spec(v1=step, v3=100 - step))


def change_times(
    mesh: course.Mesh, name: str, spec_of: Callable[[int], dict[str, Any]]
) -> list[float]:
    """Milliseconds from the change of a VirtualService until every sidecar has acknowledged its routes."""
    time.sleep(0.5)  # let the first change settle; the measured ones begin from a quiet mesh
    found = []
    for step in range(CHANGES):
        before = _routes(mesh)
        patch = {"spec": spec_of(step)}
        began = time.perf_counter()
        mesh.patch("virtualservices.networking.istio.io", name, patch)
        while not _arrived(before, _routes(mesh)):
            time.sleep(0.002)
        found.append((time.perf_counter() - began) * 1000)
    return found


def _routes(mesh: course.Mesh) -> dict[str, tuple[str, str]]:
    """Proxy → the routes last sent and last acknowledged, from istiod's own page."""
    with contextlib.closing(_open(_syncz(mesh))) as response:
        return {
            item["proxy"]: (item.get("route_sent", ""), item.get("route_acked", ""))
            for item in json.load(response)
            if item["proxy_type"] == "sidecar"
        }


def _arrived(before: dict[str, tuple[str, str]], now: dict[str, tuple[str, str]]) -> bool:
    return all(sent == acked and now[name] != before[name] for name, (sent, acked) in now.items())


def _syncz(mesh: course.Mesh) -> str:
    return mesh.url("istiod", "http-monitoring", "/debug/syncz", namespace="istio-system")


def _open(url: str) -> Any:
    return urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=10)


def loss() -> Figures:
    """requests lost while rules change under load"""
    with running() as mesh:
        mesh.apply(subsets("v1", "v3")).raise_on_error()
        flips = _under_load(mesh, WEIGHT_CHANGES, lambda i: mesh.apply(weights(v1=i, v3=100 - i)))
        mesh.apply(weights(v1=100)).raise_on_error()
        rounds = _under_load(mesh, SUBSET_ROUNDS, lambda i: _come_and_go(mesh, i))
    return {
        f"lost of requests, {WEIGHT_CHANGES} weight changes": f"{flips.failed} of {flips.n}",
        f"lost of requests, {SUBSET_ROUNDS} subsets added and removed": f"{rounds.failed} of {rounds.n}",
        "p50 and p99 of the page meanwhile, ms": quantiles(
            [s.latency * 1000 for s in flips.samples]
        ),
    }


def _come_and_go(mesh: course.Mesh, number: int) -> None:
    name = f"v3s{number}"
    for text in (
        subsets("v1", "v3", name),
        weights(**{name: 100}),
        weights(v1=100),
        subsets("v1", "v3"),
    ):
        mesh.apply(text).raise_on_error()


def _under_load(mesh: course.Mesh, times: int, act: Callable[[int], Any]) -> Result:
    with mesh.start_traffic("/productpage", seconds=300, rate=80) as run:
        began = time.monotonic()
        for number in range(times):
            act(number)
            time.sleep(max(0.0, began + (number + 1) * PACE - time.monotonic()))
        run.stop()
        return run.result()


def traffic() -> Figures:
    """the page through the gateway, from one generator on the same machine"""
    with running() as mesh:
        mesh.traffic("/productpage", n=100)
        calm = mesh.traffic("/productpage", n=400, rate=0, concurrency=1)
        full = mesh.traffic("/productpage", n=1500, rate=0, concurrency=16)
    return {
        "one after the other, ms": quantiles([s.latency * 1000 for s in calm.samples]),
        "16 at a time, ms": quantiles([s.latency * 1000 for s in full.samples]),
        "16 at a time, pages/s": round(full.rate, 1),
        "failed": calm.failed + full.failed,
    }
