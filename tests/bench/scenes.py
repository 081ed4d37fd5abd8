"""What is measured, a function each; its docstring is the headline, its result the figures with their units."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import statistics
import time
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

from meshcourse import course
from meshcourse.cluster import components, progress
from meshcourse.cluster.embedded import Embedded
from meshcourse.embedded.daemon import census, launcher, state
from meshcourse.observe import stats
from meshcourse.observe.result import Result

NAME = "bench"
STARTS, CHANGES, WEIGHT_CHANGES, SUBSET_ROUNDS = 3, 50, 50, 15
#: Seconds from one change under load to the next, so that there are requests between them.
PACE = 0.2
_MIB = 2**20

Figures = dict[str, Any]


def start() -> Figures:
    """from nothing to the first page: up --with istio,bookinfo, the median of three fresh clusters"""
    runs = [_start() for _ in range(STARTS)]
    titles = list(dict.fromkeys(title for _, stages in runs for title in stages))
    medians = {title: statistics.median(s.get(title, 0.0) for _, s in runs) for title in titles}
    return {
        "seconds to the first page": statistics.median(total for total, _ in runs),
        "each run, s": ", ".join(f"{total:.2f}" for total, _ in runs),
        **{f"stage, s: {title}": seconds for title, seconds in medians.items()},
    }


def _start() -> tuple[float, dict[str, float]]:
    shown = progress.silent()
    began = time.monotonic()
    with fresh(shown) as mesh:
        components.ensure(mesh, "istio", "bookinfo", progress=shown)
        total = time.monotonic() - began
        pods = mesh.objects("pods", "default")
        assert all(len(_containers(pod)) == 2 for pod in pods), "a pod without a sidecar"
    return total, {stage.title: stage.seconds for stage in shown.stages}


def memory() -> Figures:
    """memory of everything with Istio and Bookinfo running, in MiB of proportional set size"""
    with running() as mesh:
        mesh.traffic(
            "/productpage", n=300, rate=100
        )  # what has never run has touched little memory
        found = launcher.status(NAME)
    by_kind = {kind: round(size / _MIB, 1) for kind, size in found["memory_by_kind"].items()}
    return {
        "everything, MiB": round(found["memory"] / _MIB, 1),
        "processes": len(found["processes"]),
        **{
            f"MiB: {kind}": size
            for kind, size in sorted(by_kind.items(), key=lambda item: -item[1])
        },
    }


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
        f"idle, ms, n = {CHANGES}": _quantiles(idle),
        f"under 40 requests/s, ms, n = {CHANGES}": _quantiles(loaded),
        "failed requests meanwhile": failed,
    }


def _change_times(mesh: course.Mesh) -> list[float]:
    mesh.apply(weights(v1=50, v3=50)).raise_on_error()
    time.sleep(0.5)  # let the first change settle; the measured ones begin from a quiet mesh
    found = []
    for step in range(CHANGES):
        before = _routes(mesh)
        patch = {"spec": _spec(v1=step, v3=100 - step)}
        began = time.perf_counter()
        mesh.patch("virtualservices.networking.istio.io", "reviews", patch)
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
        "p50 and p99 of the page meanwhile, ms": _quantiles(
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


def recovery() -> Figures:
    """the daemon is killed: how soon its children are gone, and how soon the page is back"""
    with running() as mesh:
        directory = state.of(NAME).directory
        children = len(census.members(directory))
        mesh.close()
        began = time.monotonic()
        os.kill(launcher.status(NAME)["pid"], signal.SIGKILL)
        while census.members(directory):
            time.sleep(0.005)
        gone = time.monotonic() - began
        began = time.monotonic()
        provider = Embedded(NAME)
        provider.start(progress.silent())
        back = course.Mesh(provider, progress.silent)
        components.ensure(back, "istio", "bookinfo", progress=progress.silent())
        answered = time.monotonic() - began
        back.close()
    return {
        "processes killed with it": children,
        "all gone after, s": gone,
        "page is back after, s": answered,
    }


def traffic() -> Figures:
    """the page through the gateway, from one generator on the same machine"""
    with running() as mesh:
        mesh.traffic("/productpage", n=100)
        calm = mesh.traffic("/productpage", n=400, rate=0, concurrency=1)
        full = mesh.traffic("/productpage", n=1500, rate=0, concurrency=16)
    return {
        "one after the other, ms": _quantiles([s.latency * 1000 for s in calm.samples]),
        "16 at a time, ms": _quantiles([s.latency * 1000 for s in full.samples]),
        "16 at a time, pages/s": round(full.rate, 1),
        "failed": calm.failed + full.failed,
    }


ALL: dict[str, Callable[[], Figures]] = {
    "start": start,
    "memory": memory,
    "changes": changes,
    "loss": loss,
    "recovery": recovery,
    "traffic": traffic,
}


@contextlib.contextmanager
def fresh(shown: progress.Progress) -> Iterator[course.Mesh]:
    """A cluster that did not exist before and does not afterwards."""
    launcher.down(NAME, delete=True)
    provider = Embedded(NAME)
    provider.start(shown)
    mesh = course.Mesh(provider, progress.silent)
    try:
        yield mesh
    finally:
        mesh.close()
        launcher.down(NAME, delete=True)


@contextlib.contextmanager
def running() -> Iterator[course.Mesh]:
    """A fresh cluster with Istio and Bookinfo."""
    with fresh(progress.silent()) as mesh:
        components.ensure(mesh, "istio", "bookinfo", progress=progress.silent())
        yield mesh


def subsets(*names: str) -> str:
    """A DestinationRule for reviews; a subset ``vN…`` selects the pods of version vN."""
    listed = ", ".join(f"{{name: {name}, labels: {{version: {name[:2]}}}}}" for name in names)
    return (
        "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: reviews}\n"
        f"spec: {{host: reviews, subsets: [{listed}]}}\n"
    )


def weights(**shares: int) -> str:
    """A VirtualService for reviews that splits by subset."""
    return (
        "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: reviews}\n"
        f"spec: {json.dumps(_spec(**shares))}\n"
    )


def _spec(**shares: int) -> dict[str, Any]:
    routes = [
        {"destination": {"host": "reviews", "subset": name}, "weight": share}
        for name, share in shares.items()
    ]
    return {"hosts": ["reviews"], "http": [{"route": routes}]}


def _containers(pod: dict[str, Any]) -> list[str]:
    from meshcourse.cluster import podstate

    return [item["name"] for item in podstate.containers(pod)]


def _quantiles(values: list[float]) -> dict[str, float]:
    return {f"p{round(q * 100)}": round(stats.quantile(values, q), 1) for q in (0.5, 0.95, 0.99)}
