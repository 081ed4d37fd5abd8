"""The arithmetic of rollouts. Pure.

Source: Kubernetes documentation of Deployments ("Rolling Update", "Proportional scaling"): surge rounds up,
unavailability down, and both cannot be zero.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from meshcourse.embedded.kube import objects
from meshcourse.embedded.kube.objects import Object

DESIRED = "deployment.kubernetes.io/desired-replicas"
MAXIMUM = "deployment.kubernetes.io/max-replicas"


@dataclass(frozen=True, slots=True)
class Fence:
    """How far a rolling update may stray from the wanted number, in pods."""

    surge: int
    unavailable: int


def replicas(obj: Object) -> int:
    """``spec.replicas`` of a Deployment or ReplicaSet."""
    return int(objects.dig(obj, "spec.replicas", 1))


def available(rs: Object) -> int:
    """Available replicas that will stay: a ReplicaSet just shrunk may not have counted again yet."""
    return min(int(objects.dig(rs, "status.availableReplicas", 0)), replicas(rs))


def is_rolling(deployment: Object) -> bool:
    return bool(objects.dig(deployment, "spec.strategy.type", "RollingUpdate") == "RollingUpdate")


def fence(deployment: Object) -> Fence:
    """``maxSurge`` and ``maxUnavailable`` as numbers of pods; zero for Recreate."""
    if not is_rolling(deployment):
        return Fence(0, 0)
    wanted = replicas(deployment)
    rolling = objects.dig(deployment, "spec.strategy.rollingUpdate", {})
    surge = _amount(rolling.get("maxSurge", "25%"), wanted, up=True)
    unavailable = _amount(rolling.get("maxUnavailable", "25%"), wanted, up=False)
    if surge == 0 and unavailable == 0:
        unavailable = 1
    return Fence(surge, min(unavailable, wanted))


def _amount(value: int | str, total: int, *, up: bool) -> int:
    if isinstance(value, int):
        return value
    exact = int(value.rstrip("%")) * total / 100
    return math.ceil(exact) if up else math.floor(exact)


def new_size(deployment: Object, new: Object, everyone: list[Object]) -> int:
    """How many replicas the new ReplicaSet may have now, `everyone` being all ReplicaSets including it."""
    wanted = replicas(deployment)
    if not is_rolling(deployment):
        return wanted
    room = wanted + fence(deployment).surge - sum(map(replicas, everyone))
    if room <= 0:
        return replicas(new)
    return replicas(new) + min(room, wanted - replicas(new))


def shrink_old(deployment: Object, new: Object, old: list[Object]) -> list[tuple[Object, int]]:
    """Which old ReplicaSets to scale down now, and to what. `old` in order of creation.

    Unhealthy replicas go first, because they serve nobody; then as many healthy ones as availability allows.
    """
    minimum = replicas(deployment) - fence(deployment).unavailable
    total = sum(map(replicas, old)) + replicas(new)
    budget = total - minimum - (replicas(new) - available(new))
    if budget <= 0:
        return []
    sizes = [replicas(rs) for rs in old]
    _drop_unhealthy(old, sizes, budget)
    _drop_healthy(sizes, sum(map(available, [*old, new])) - minimum)
    return [(rs, size) for rs, size in zip(old, sizes, strict=True) if size != replicas(rs)]


def _drop_unhealthy(old: list[Object], sizes: list[int], budget: int) -> None:
    for index, rs in enumerate(old):
        drop = min(budget, max(0, sizes[index] - available(rs)))
        sizes[index] -= drop
        budget -= drop


def _drop_healthy(sizes: list[int], budget: int) -> None:
    for index, size in enumerate(sizes):
        drop = max(0, min(budget, size))
        sizes[index] -= drop
        budget -= drop


def proportional(deployment: Object, active: list[Object]) -> list[tuple[Object, int]]:
    """New sizes of all active ReplicaSets when a Deployment is scaled in the middle of a rollout.

    The difference is spread in proportion to their sizes, the largest first; what rounding leaves goes to the first.
    """
    wanted = replicas(deployment)
    allowed = wanted + fence(deployment).surge if wanted > 0 else 0
    to_add = allowed - sum(map(replicas, active))
    # Among equals the newest grows first and the oldest shrinks first.
    order = sorted(active, key=_created, reverse=to_add > 0)
    order.sort(key=replicas, reverse=True)
    sizes: list[int] = []
    added = 0
    for rs in order:
        share = _share(deployment, rs, to_add, added)
        sizes.append(replicas(rs) + share)
        added += share
    if order and to_add:
        sizes[0] = max(0, sizes[0] + to_add - added)
    return list(zip(order, sizes, strict=True))


def _share(deployment: Object, rs: Object, to_add: int, added: int) -> int:
    if replicas(rs) == 0 or to_add in (0, added):
        return 0
    fraction = _fraction(deployment, rs)
    return min(fraction, to_add - added) if to_add > 0 else max(fraction, to_add - added)


def _fraction(deployment: Object, rs: Object) -> int:
    if replicas(deployment) == 0:
        return -replicas(rs)
    target = replicas(deployment) + fence(deployment).surge
    before = _annotated(rs, MAXIMUM) or int(objects.dig(deployment, "status.replicas", 0))
    if not before:
        return 0
    return math.floor(replicas(rs) * target / before + 0.5) - replicas(rs)


def _annotated(rs: Object, annotation: str) -> int | None:
    text = objects.annotations_of(rs).get(annotation, "")
    return int(text) if text.isdigit() else None


def scaled_meanwhile(deployment: Object, active: list[Object]) -> bool:
    """Whether ``spec.replicas`` was changed since the ReplicaSets were last sized."""
    sizes = [_annotated(rs, DESIRED) for rs in active if replicas(rs) > 0]
    return any(size is not None and size != replicas(deployment) for size in sizes)


def is_saturated(deployment: Object, rs: Object | None) -> bool:
    """Whether the ReplicaSet alone gives the Deployment everything it asks for."""
    wanted = replicas(deployment)
    return rs is not None and (replicas(rs), _annotated(rs, DESIRED), available(rs)) == (
        wanted,
        wanted,
        wanted,
    )


def size_annotations(deployment: Object) -> dict[str, str]:
    """What a ReplicaSet notes about the Deployment's size at its last scaling."""
    wanted = replicas(deployment)
    return {DESIRED: str(wanted), MAXIMUM: str(wanted + fence(deployment).surge)}


def _created(rs: Object) -> tuple[str, str]:
    return str(objects.dig(rs, "metadata.creationTimestamp", "")), objects.name(rs)
