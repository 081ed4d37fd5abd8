"""The arithmetic of rollouts, as tables."""

from __future__ import annotations

from typing import Any

import pytest

from meshcourse.embedded.controllers import rollout_plan
from meshcourse.embedded.controllers.rollout_plan import Fence
from meshcourse.embedded.kube import objects
from meshcourse.embedded.kube.objects import Object


def deployment(replicas: int, surge: Any = "25%", unavailable: Any = "25%") -> Object:
    rolling = {"maxSurge": surge, "maxUnavailable": unavailable}
    strategy = {"type": "RollingUpdate", "rollingUpdate": rolling}
    return {"metadata": {"name": "web"}, "spec": {"replicas": replicas, "strategy": strategy}}


def replicaset(name: str, replicas: int, available: int, maximum: int | None = None) -> Object:
    notes = {} if maximum is None else {rollout_plan.MAXIMUM: str(maximum)}
    return {
        "metadata": {"name": name, "creationTimestamp": name, "annotations": notes},
        "spec": {"replicas": replicas},
        "status": {"availableReplicas": available},
    }


@pytest.mark.parametrize(
    ("replicas", "surge", "unavailable", "expected"),
    [
        (4, "25%", "25%", Fence(1, 1)),
        (10, "25%", "25%", Fence(3, 2)),
        (1, "25%", "25%", Fence(1, 0)),
        (1, 0, "25%", Fence(0, 1)),
        (3, 0, 0, Fence(0, 1)),
        (3, "100%", "0%", Fence(3, 0)),
        (2, 1, 5, Fence(1, 2)),
        (0, "25%", "25%", Fence(0, 0)),
    ],
)
def test_surge_rounds_up_and_unavailability_down(
    replicas: int, surge: Any, unavailable: Any, expected: Fence
) -> None:
    assert rollout_plan.fence(deployment(replicas, surge, unavailable)) == expected


@pytest.mark.parametrize(
    ("wanted", "surge", "old", "new", "expected"),
    [
        (10, 3, 10, 0, 3),
        (10, 3, 8, 3, 5),
        (10, 3, 8, 5, 5),
        (10, 3, 0, 5, 10),
        (10, 3, 14, 2, 2),
        (10, "100%", 10, 0, 10),
        (1, 1, 1, 0, 1),
        (1, 0, 1, 0, 0),
    ],
)
def test_the_new_replicaset_grows_into_the_room_there_is(
    wanted: int, surge: Any, old: int, new: int, expected: int
) -> None:
    fresh = replicaset("b", new, 0)
    everyone = [replicaset("a", old, old), fresh]
    assert rollout_plan.new_size(deployment(wanted, surge, 0), fresh, everyone) == expected


@pytest.mark.parametrize(
    ("unavailable", "new", "old", "expected"),
    [
        (2, (3, 0), [(10, 10)], {"0": 8}),
        (2, (5, 0), [(8, 8)], {}),
        (2, (5, 5), [(8, 8)], {"0": 3}),
        (2, (3, 0), [(10, 4)], {"0": 8}),
        (2, (0, 0), [(5, 0), (5, 5)], {"0": 3}),
        (0, (3, 0), [(10, 10)], {}),
        (0, (3, 1), [(10, 10)], {"0": 9}),
        (2, (3, 3), [(4, 4), (6, 6)], {"0": 0, "1": 5}),
        (2, (3, 0), [(9, 10)], {"0": 8}),
    ],
    ids=[
        "first step",
        "new ones are not ready yet",
        "new ones are ready",
        "broken ones go first, within the budget",
        "rollover",
        "none may be missing",
        "one for one",
        "oldest first",
        "a status that has not caught up",
    ],
)
def test_old_replicasets_shrink_as_far_as_availability_allows(
    unavailable: int,
    new: tuple[int, int],
    old: list[tuple[int, int]],
    expected: dict[str, int],
) -> None:
    fresh = replicaset("new", *new)
    olds = [replicaset(str(index), *sizes) for index, sizes in enumerate(old)]
    found = rollout_plan.shrink_old(deployment(10, 3, unavailable), fresh, olds)
    assert {objects.name(rs): size for rs, size in found} == expected


@pytest.mark.parametrize(
    ("wanted", "active", "expected"),
    [
        (20, [("a", 8, 13), ("b", 5, 13)], {"a": 15, "b": 10}),
        (5, [("a", 8, 13), ("b", 5, 13)], {"a": 4, "b": 3}),
        (0, [("a", 8, 13), ("b", 5, 13)], {"a": 0, "b": 0}),
        (10, [("a", 8, 13), ("b", 5, 13)], {"a": 8, "b": 5}),
        (11, [("a", 5, 10), ("b", 5, 10)], {"a": 7, "b": 7}),
        (12, [("a", 5, 10), ("b", 5, 10)], {"a": 7, "b": 8}),
        (6, [("a", 5, 10), ("b", 5, 10)], {"a": 4, "b": 4}),
    ],
    ids=["up", "down", "to nothing", "same", "even", "the newest gets the rest", "down even"],
)
def test_scaling_is_proportional(
    wanted: int, active: list[tuple[str, int, int]], expected: dict[str, int]
) -> None:
    sets = [replicaset(name, size, size, maximum) for name, size, maximum in active]
    found = rollout_plan.proportional(deployment(wanted), sets)
    assert {objects.name(rs): size for rs, size in found} == expected


def test_without_its_note_a_replicaset_is_measured_against_the_status() -> None:
    web = deployment(20) | {"status": {"replicas": 10}}
    sets = [replicaset("a", 6, 6), replicaset("b", 4, 4)]
    found = rollout_plan.proportional(web, sets)
    assert {objects.name(rs): size for rs, size in found} == {"a": 15, "b": 10}
