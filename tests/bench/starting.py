"""From nothing to the first page, what it weighs, and how it comes back after a kill."""

from __future__ import annotations

import os
import signal
import statistics
import time

from meshcourse import course
from meshcourse.cluster import components, podstate, progress
from meshcourse.cluster.embedded import Embedded
from meshcourse.embedded.daemon import census, launcher, state
from tests.bench.stage import MIB, NAME, Figures, fresh, quantiles, running

STARTS = 3
ADDONS = ("prometheus", "grafana", "jaeger", "kiali", "fluent-bit")


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
        assert all(len(list(podstate.containers(pod))) == 2 for pod in pods), (
            "a pod without a sidecar"
        )
    return total, {stage.title: stage.seconds for stage in shown.stages}


def memory() -> Figures:
    """memory of everything with Istio and Bookinfo running, in MiB of proportional set size"""
    with running() as mesh:
        mesh.traffic(
            "/productpage", n=300, rate=100
        )  # what has never run has touched little memory
        found = launcher.status(NAME)
    by_kind = {kind: round(size / MIB, 1) for kind, size in found["memory_by_kind"].items()}
    return {
        "everything, MiB": round(found["memory"] / MIB, 1),
        "processes": len(found["processes"]),
        **{
            f"MiB: {kind}": size
            for kind, size in sorted(by_kind.items(), key=lambda item: -item[1])
        },
    }


def boutique() -> Figures:
    """Online Boutique: ensure to the home page, every pod 2/2; then memory of the whole course with load on it"""
    shown = progress.silent()
    with fresh(shown) as mesh:
        components.ensure(mesh, "istio", progress=shown)
        began = time.monotonic()
        components.ensure(mesh, "boutique", progress=shown)
        seconds = time.monotonic() - began
        pods = mesh.objects("pods", "boutique")
        assert all(len(list(podstate.containers(pod))) == 2 for pod in pods), (
            "a pod without a sidecar"
        )
        components.ensure(mesh, "bookinfo", *ADDONS, progress=shown)
        pages = mesh.traffic("/", host="boutique.example.com", n=300, rate=20, classified=None)
        mesh.traffic("/productpage", n=300, rate=100)
        found = launcher.status(NAME)
    return {
        "seconds from ensure to the home page": seconds,
        "pods": len(pods),
        "home page, ms": quantiles([sample.latency * 1000 for sample in pages.samples]),
        "failed pages": pages.failed,
        "Istio, add-ons, Bookinfo, Boutique, MiB": round(found["memory"] / MIB, 1),
        "processes": len(found["processes"]),
    }


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
