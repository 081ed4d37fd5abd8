"""From nothing to the first page: ``up --with istio,bookinfo``, its stages, memory, and the way back after a kill."""

from __future__ import annotations

import os
import signal
import statistics
import time
from collections.abc import Iterator

from meshcourse import course
from meshcourse.cluster import components, embedded
from meshcourse.cluster.progress import Progress
from meshcourse.embedded.daemon import census, launcher, state
from tests.bench.figures import Figure, at_most

NAME = "bench"
RUNS = 3


class Quiet:
    """A sink that shows nothing."""

    def line(self, text: str) -> None: ...

    def live(self, text: str) -> None: ...


def bring_up() -> tuple[course.Mesh, float, dict[str, float]]:
    """A mesh with Bookinfo answering, the seconds that took, and those of each stage."""
    started = time.monotonic()
    shown = Progress(Quiet())
    provider = embedded.Embedded(NAME)
    provider.start(shown)
    mesh = course.attach(NAME)
    components.ensure(mesh, "istio", "bookinfo", progress=shown)
    seconds = time.monotonic() - started
    return mesh, seconds, {each.title: each.seconds for each in shown.stages}


def tear_down() -> None:
    """Nothing of the cluster is left, whatever state it is in."""
    embedded.Embedded(NAME).stop(Progress(Quiet()), delete=True)


def fresh() -> Iterator[Figure]:
    """Repeated starts from nothing."""
    totals: list[float] = []
    stages: dict[str, list[float]] = {}
    for _ in range(RUNS):
        mesh, seconds, parts = bring_up()
        totals.append(seconds)
        for title, part in parts.items():
            stages.setdefault(title, []).append(part)
        mesh.close()
        tear_down()
    yield at_most(
        "up --with istio,bookinfo to the first page", statistics.median(totals), "s", RUNS, 8
    )
    for title, values in stages.items():
        yield Figure(f"  {title}", statistics.median(values), "s", len(values))


def memory() -> Iterator[Figure]:
    """PSS of everything that belongs to the cluster, by kind of process."""
    found = launcher.status(NAME)
    kinds: dict[str, list[int]] = {}
    for process in found["processes"]:
        kinds.setdefault(_kind(process["command"]), []).append(process["memory"])
    total = sum(sum(values) for values in kinds.values()) / 2**20
    yield at_most("memory of everything, PSS", total, "MiB", len(found["processes"]), 600)
    for kind, values in sorted(kinds.items(), key=lambda item: -sum(item[1])):
        yield Figure(f"  {kind}", sum(values) / 2**20, "MiB", len(values))


def _kind(command: str) -> str:
    words = {
        "envoy -c": "Envoys",
        "/envoy": "Envoys",
        "istio-proxy": "agents beside the Envoys",
        "embedded.daemon": "daemon (API server, controllers, kubelet)",
        "forkserver": "fork server",
        "/discovery": "istiod",
    }
    return next((kind for word, kind in words.items() if word in command), "applications")


def resume(mesh: course.Mesh) -> Iterator[Figure]:
    """SIGKILL of the daemon: how long anything below it lives, and until Bookinfo answers again."""
    directory = state.of(NAME).directory
    mesh.close()
    os.kill(launcher.status(NAME)["pid"], signal.SIGKILL)
    killed = time.monotonic()
    while census.members(directory):
        if time.monotonic() - killed > 10:
            break
        time.sleep(0.005)
    yield at_most(
        "last child alive after SIGKILL of the daemon", time.monotonic() - killed, "s", 1, 1
    )
    again, seconds, _ = bring_up()
    again.close()
    yield at_most("up again to the first page", seconds, "s", 1, 8)
