"""Where it is measured: clusters that did not exist before, and what the scenes apply to them."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any

from meshcourse import course
from meshcourse.cluster import components, progress
from meshcourse.cluster.embedded import Embedded
from meshcourse.embedded.daemon import launcher
from meshcourse.observe import stats

NAME = "bench"
MIB = 2**20

Figures = dict[str, Any]


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
        f"spec: {json.dumps(spec(**shares))}\n"
    )


def spec(**shares: int) -> dict[str, Any]:
    routes = [
        {"destination": {"host": "reviews", "subset": name}, "weight": share}
        for name, share in shares.items()
    ]
    return {"hosts": ["reviews"], "http": [{"route": routes}]}


def quantiles(values: list[float]) -> dict[str, float]:
    return {f"p{round(q * 100)}": round(stats.quantile(values, q), 1) for q in (0.5, 0.95, 0.99)}
