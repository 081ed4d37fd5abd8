"""What it costs to be seen: requests with and without telemetry, side by side, and the memory of each add-on."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

from meshcourse import course
from meshcourse.cluster import components, progress
from meshcourse.embedded.daemon import launcher
from tests.bench.stage import MIB, NAME, Figures, running
from tests.integration import standin

ROUNDS, ONE_BY_ONE, AT_ONCE, WORKERS = 3, 200, 600, 16
LIMIT = 60.0
ADDONS = ("prometheus", "grafana", "jaeger", "kiali", "fluent-bit")
TELEMETRY = """
apiVersion: telemetry.istio.io/v1
kind: Telemetry
metadata: {name: bench, namespace: istio-system}
spec:
"""
NOTHING = (
    TELEMETRY
    + """
  metrics: [{providers: [{name: prometheus}], overrides: [{disabled: true}]}]
  accessLogging: [{providers: [{name: envoy}], disabled: true}]
  tracing: [{disableSpanReporting: true}]
"""
)
TRACES = TELEMETRY + "  tracing: [{providers: [{name: jaeger}], randomSamplingPercentage: 100}]\n"


def telemetry() -> Figures:
    """pages with telemetry as ratios to pages without (medians of rounds in turn), and the memory of each add-on"""
    with running() as mesh:
        mesh.traffic("/productpage", n=AT_ONCE, rate=0, concurrency=WORKERS)  # warm
        found = _ratios(mesh)
        found |= _memory(mesh)
    return found


def _off(mesh: course.Mesh) -> None:
    _without_addons(mesh)
    mesh.apply(NOTHING).raise_on_error()


def _on(mesh: course.Mesh) -> None:
    _without_addons(mesh)
    mesh.apply(TELEMETRY.rstrip() + " {}\n").raise_on_error()


def _all(mesh: course.Mesh) -> None:
    components.ensure(mesh, "prometheus", "jaeger", progress=progress.silent())
    mesh.apply(TRACES).raise_on_error()


def _without_addons(mesh: course.Mesh) -> None:
    components.remove(mesh, "prometheus", "jaeger", progress=progress.silent())


SETTINGS: dict[str, Callable[[course.Mesh], None]] = {
    "nothing": _off,
    "metrics and access logs": _on,
    "and Prometheus each second, every request traced": _all,
}


def _ratios(mesh: course.Mesh) -> Figures:
    p50: dict[str, list[float]] = {name: [] for name in SETTINGS}
    rate: dict[str, list[float]] = {name: [] for name in SETTINGS}
    for _ in range(ROUNDS):
        for name, setting in SETTINGS.items():
            setting(mesh)
            time.sleep(1)  # until all Envoys have it
            mesh.traffic("/productpage", n=60, rate=0, concurrency=WORKERS)
            p50[name].append(mesh.traffic(n=ONE_BY_ONE, rate=0, concurrency=1).latency() * 1000)
            rate[name].append(mesh.traffic(n=AT_ONCE, rate=0, concurrency=WORKERS).rate)
    found: Figures = {}
    base = next(iter(SETTINGS))
    for name in SETTINGS:
        middle, pages = statistics.median(p50[name]), statistics.median(rate[name])
        found[f"{name}: p50, ms"] = round(middle, 2)
        found[f"{name}: pages/s"] = round(pages, 1)
        if name != base:
            found[f"{name}: p50 as a ratio"] = round(middle / statistics.median(p50[base]), 3)
            found[f"{name}: pages/s as a ratio"] = round(pages / statistics.median(rate[base]), 3)
    return found


def _memory(mesh: course.Mesh) -> Figures:
    """After some thousand requests, all traced; the course's own Prometheus, whatever is installed."""
    components.ensure(mesh, *ADDONS, progress=progress.silent())
    standin.prometheus(mesh)
    mesh.apply(TRACES).raise_on_error()
    mesh.traffic("/productpage", n=2000, rate=0, concurrency=WORKERS)
    for uid in mesh.grafana.dashboards().values():
        mesh.dashboard(uid)
    mesh.graph()
    time.sleep(6)  # spans of the last requests
    sizes = dict.fromkeys(ADDONS, 0.0)
    for process in launcher.status(NAME)["processes"]:
        for name in ADDONS:
            if f"istio-system/{name}-" in process["command"]:
                sizes[name] += process["memory"] / MIB
    return {f"MiB: {name} (at most {LIMIT:.0f})": round(size, 1) for name, size in sizes.items()}
