"""From a change to all proxies, and what changes cost requests under load."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

from meshcourse import course
from meshcourse.cluster import manifests
from tests.bench.figures import Figure, at_most, quantile

CHANGES, SUBSETS = 50, 15
_RULE = "networking.istio.io/v1"


def rule(*names: str) -> str:
    """A DestinationRule for reviews: subset ``v3x`` selects version v3."""
    subsets = [{"name": name, "labels": {"version": name[:2]}} for name in names]
    return json.dumps(
        {
            "apiVersion": _RULE,
            "kind": "DestinationRule",
            "metadata": {"name": "reviews"},
            "spec": {"host": "reviews", "subsets": subsets},
        }
    )


def split(**weights: int) -> str:
    """A VirtualService for reviews."""
    routes = [
        {"destination": {"host": "reviews", "subset": name}, "weight": weight}
        for name, weight in weights.items()
    ]
    return json.dumps(
        {
            "apiVersion": _RULE,
            "kind": "VirtualService",
            "metadata": {"name": "reviews"},
            "spec": {"hosts": ["reviews"], "http": [{"route": routes}]},
        }
    )


class Watcher:
    """istiod's ``/debug/syncz`` over one connection: which proxies have acknowledged which route version."""

    def __init__(self, mesh: course.Mesh) -> None:
        address = urlsplit(mesh.url("istiod", 15014, namespace="istio-system"))
        self._connection = HTTPConnection(str(address.hostname), address.port, timeout=10)

    def routes(self) -> dict[str, tuple[str, str]]:
        """Sidecar → (sent, acknowledged) version of its routes."""
        self._connection.request("GET", "/debug/syncz")
        found: list[Any] = json.loads(self._connection.getresponse().read())
        return {
            each["proxy"]: (each.get("route_sent", ""), each.get("route_acked", ""))
            for each in found
            if each["namespace"] == "default"
        }

    def close(self) -> None:
        self._connection.close()


def propagation(mesh: course.Mesh) -> Iterator[Figure]:
    """Apply → every sidecar has acknowledged new routes."""
    mesh.apply(rule("v1", "v2", "v3"))
    mesh.apply(split(v1=50, v2=50))
    time.sleep(1)  # let the set-up's own changes settle before the first measured one
    watcher, delays = Watcher(mesh), []
    for step in range(CHANGES):
        before = watcher.routes()
        started = time.monotonic()
        mesh.apply(split(v1=step + 1, v2=99 - step))
        while not _arrived(before, watcher.routes()):
            if time.monotonic() - started > 10:
                raise RuntimeError("the change did not arrive within 10 s")
        delays.append((time.monotonic() - started) * 1000)
    watcher.close()
    yield Figure(
        "VirtualService change to all acknowledged, p50", quantile(delays, 0.5), "ms", CHANGES
    )
    yield at_most(
        "VirtualService change to all acknowledged, p99", quantile(delays, 0.99), "ms", CHANGES, 100
    )


def _arrived(before: dict[str, tuple[str, str]], now: dict[str, tuple[str, str]]) -> bool:
    return all(sent != before[proxy][0] and sent == acked for proxy, (sent, acked) in now.items())


def under_load(mesh: course.Mesh) -> Iterator[Figure]:
    """Requests that fail while weights change and subsets come and go."""
    mesh.apply(rule("v1", "v2", "v3"))
    mesh.apply(split(v1=50, v2=50))
    with mesh.start_traffic(seconds=300, rate=150) as run:
        for step in range(CHANGES):
            mesh.apply(split(v1=step * 2, v2=100 - step * 2))
        run.stop()
        result = run.result()
    yield at_most(
        f"failed requests in {CHANGES} weight changes", result.failed, "requests", result.n, 0
    )
    mesh.apply(rule("v1"))
    mesh.apply(split(v1=100))
    with mesh.start_traffic(seconds=300, rate=150) as run:
        for step in range(SUBSETS):
            mesh.apply(rule("v1", f"v3s{step}"))
            mesh.apply(split(**{f"v3s{step}": 100}))
            mesh.apply(split(v1=100))
            mesh.apply(rule("v1"))
        run.stop()
        result = run.result()
    yield at_most(
        f"failed requests in {SUBSETS} subset additions and removals",
        result.failed,
        "requests",
        result.n,
        0,
    )
    for kind in (rule("v1"), split(v1=100)):
        mesh.delete(manifests.parse(kind))
