"""Which pods go first, and who counts as available."""

from __future__ import annotations

from typing import Any

import pytest

from meshcourse.embedded.controllers import naming, pods, times
from meshcourse.embedded.kube import objects
from meshcourse.embedded.kube.objects import Object

NOW = 1_800_000_000.0


def pod(
    name: str,
    *,
    node: str = "node",
    phase: str = "Running",
    ready: float | None = 1000.0,
    cost: str | None = None,
    restarts: int = 0,
    age: float = 1000.0,
) -> Object:
    """A pod made `age` seconds ago and ready for `ready` seconds."""
    notes = {} if cost is None else {"controller.kubernetes.io/pod-deletion-cost": cost}
    condition: Object = {"type": "Ready", "status": str(ready is not None)}
    condition["lastTransitionTime"] = times.stamp(NOW - (ready or 0))
    return {
        "metadata": {
            "name": name,
            "uid": name,
            "annotations": notes,
            "creationTimestamp": times.stamp(NOW - age),
        },
        "spec": {"nodeName": node} if node else {},
        "status": {
            "phase": phase,
            "conditions": [condition],
            "containerStatuses": [{"restartCount": restarts}],
        },
    }


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"node": "", "phase": "Pending", "ready": None}, {"phase": "Pending", "ready": None}),
        ({"phase": "Pending", "ready": None}, {"phase": "Unknown", "ready": None}),
        ({"phase": "Unknown", "ready": None}, {"ready": None}),
        ({"ready": None}, {}),
        ({"cost": "-5"}, {}),
        ({"cost": "1"}, {"cost": "20"}),
        ({"ready": 5.0}, {"ready": 5000.0}),
        ({"restarts": 3}, {"restarts": 1}),
        ({"age": 5.0}, {"age": 5000.0}),
        ({"ready": None, "cost": "100"}, {"cost": "-100"}),
    ],
    ids=[
        "not scheduled",
        "pending",
        "unknown",
        "not ready",
        "cheaper than default",
        "cheaper",
        "ready for less long",
        "more restarts",
        "younger",
        "readiness counts more than cost",
    ],
)
def test_what_goes_first(first: dict[str, Any], second: dict[str, Any]) -> None:
    a, b = pod("z", **first), pod("a", **second)
    order = sorted([b, a], key=lambda one: pods.deletion_order(one, NOW))
    assert order == [a, b]


def test_pods_of_about_the_same_age_go_by_uid() -> None:
    a, b = pod("a", ready=40.0), pod("b", ready=20.0)
    assert sorted([b, a], key=lambda one: pods.deletion_order(one, NOW)) == [a, b]


@pytest.mark.parametrize(
    ("ready", "min_ready", "expected"),
    [(None, 0, None), (0.0, 0, 0.0), (3.0, 10, 7.0), (10.0, 10, 0.0), (50.0, 10, 0.0)],
)
def test_availability_takes_time(
    ready: float | None, min_ready: int, expected: float | None
) -> None:
    assert pods.available_in(pod("a", ready=ready), min_ready, NOW) == expected


def test_template_hashes_are_stable_and_differ() -> None:
    one: Object = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "a"}]}}
    other = objects.clone(one)
    other["spec"]["containers"][0]["name"] = "b"
    marks = {naming.template_hash(one), naming.template_hash(other), naming.template_hash(one, 1)}
    assert len(marks) == 3
    assert naming.template_hash(objects.clone(one)) in marks
    assert all(set(mark) <= set(naming.ALPHABET) and 1 < len(mark) <= 10 for mark in marks)
