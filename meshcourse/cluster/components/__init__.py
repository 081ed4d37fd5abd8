"""What notebooks bring in by name: ``ensure("istio", "bookinfo")``, ``remove("bookinfo")``. Idempotent, in any order.

A component starts as soon as those it requires have got far enough, and all are waited for at the end, so that pods
of one come up while the next is being applied.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from meshcourse.cluster.cluster import Cluster
from meshcourse.cluster.components import addons, gateway_api, istio, world
from meshcourse.cluster.components.bookinfo import BOOKINFO
from meshcourse.cluster.components.boutique import BOUTIQUE
from meshcourse.cluster.errors import ClusterError
from meshcourse.cluster.progress import Progress

#: Blocks until what was started is ready.
Finish = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Component:
    """One thing that can be brought in.

    :param start: begins, and returns when dependants may begin; what it returns blocks until it is ready.
    :param remove: takes it away without trace.
    """

    requires: tuple[str, ...]
    start: Callable[[Cluster, Progress], Finish]
    remove: Callable[[Cluster, Progress], None]


REGISTRY: dict[str, Component] = {
    "istio": Component((), istio.start, istio.remove),
    "bookinfo": Component(("istio",), BOOKINFO.start, BOOKINFO.remove),
    "boutique": Component(("istio",), BOUTIQUE.start, BOUTIQUE.remove),
    "world": Component((), world.start, world.remove),
    "gateway-api": Component((), gateway_api.start, gateway_api.remove),
    "prometheus": Component(("istio",), addons.starter("prometheus"), addons.remover("prometheus")),
    "grafana": Component(("prometheus",), addons.starter("grafana"), addons.remover("grafana")),
    "jaeger": Component(("istio",), addons.starter("jaeger"), addons.remover("jaeger")),
    "kiali": Component(("prometheus",), addons.starter("kiali"), addons.remover("kiali")),
    "fluent-bit": Component(("istio",), addons.starter("fluent-bit"), addons.remover("fluent-bit")),
}


def ensure(cluster: Cluster, *names: str, progress: Progress | None = None) -> None:
    """Bring in everything named and what it requires; returns when all of it is ready.

    :raises ClusterError: if a name is unknown, or something does not get ready.
    """
    shown = progress or cluster.new_progress()
    finishers = [REGISTRY[name].start(cluster, shown) for name in _ordered(names)]
    for finish in finishers:
        finish()


def check(names: Iterable[str]) -> None:
    """Nothing if all names are known.

    :raises ClusterError: otherwise, before anything was started.
    """
    _ordered(names)


def remove(cluster: Cluster, *names: str, progress: Progress | None = None) -> None:
    """Take away everything named and what requires it."""
    shown = progress or cluster.new_progress()
    for name in reversed(list(REGISTRY)):
        if name in names or any(item in names for item in _ordered([name])):
            REGISTRY[name].remove(cluster, shown)


def _ordered(names: Iterable[str]) -> list[str]:
    """The names and what they require, each after its requirements."""
    found: list[str] = []
    for name in names:
        if name not in REGISTRY:
            known = ", ".join(REGISTRY)
            raise ClusterError(f'there is no component "{name}"', remedy=f"There are: {known}.")
        for item in (*_ordered(REGISTRY[name].requires), name):
            if item not in found:
                found.append(item)
    return found
