"""The algorithm of horizontal pod autoscaling, as tables."""

from __future__ import annotations

from typing import Any

import pytest

from meshcourse.embedded.controllers import hpa_behavior, hpa_metrics, times
from meshcourse.embedded.controllers.hpa_behavior import History, Policy, Rules
from meshcourse.embedded.controllers.hpa_metrics import MetricError, Patience, Sample, Target
from meshcourse.embedded.kube import quantities
from meshcourse.embedded.kube.objects import Object

NOW = 1_800_000_000.0


def pod(
    name: str,
    *,
    phase: str = "Running",
    ready: bool = True,
    age: float = 1000.0,
    changed: float | None = None,
    request: str | None = "1",
    deleting: bool = False,
) -> Object:
    """A pod started `age` seconds ago whose readiness changed `changed` seconds ago."""
    resources = {} if request is None else {"requests": {"cpu": request, "memory": request}}
    since = times.stamp(NOW - (age if changed is None else changed))
    condition = {"type": "Ready", "status": str(ready), "lastTransitionTime": since}
    meta: Object = {"name": name}
    if deleting:
        meta["deletionTimestamp"] = times.stamp(NOW)
    return {
        "metadata": meta,
        "spec": {"containers": [{"name": "main", "resources": resources}]},
        "status": {
            "phase": phase,
            "startTime": times.stamp(NOW - age),
            "conditions": [condition],
        },
    }


def propose(
    target: Target,
    use: list[int | None],
    pods: list[dict[str, Any]] | None = None,
    current: int | None = None,
) -> hpa_metrics.Proposal:
    """With one pod for each entry of `use` (in thousandths; None for a pod without metrics)."""
    facts = pods or [{}] * len(use)
    found = [pod(str(index), **fact) for index, fact in enumerate(facts)]
    samples = {
        str(index): Sample(value, NOW - 5, 15)
        for index, value in enumerate(use)
        if value is not None
    }
    return hpa_metrics.propose(target, current or len(use), found, samples, Patience(), NOW)


CPU50 = Target("cpu", utilization=50)


@pytest.mark.parametrize(
    ("use", "expected", "utilization"),
    [
        ([500, 500, 500], 3, 50),
        ([540, 540, 540], 3, 54),
        ([560, 560, 560], 4, 56),
        ([1000, 1000], 4, 100),
        ([450, 450, 450], 3, 45),
        ([250, 250, 250, 250], 2, 25),
        ([0, 0], 0, 0),
        ([300, 500, 700], 3, 50),
        ([700, 700, 700, 700, 700], 7, 70),
    ],
    ids=[
        "on target",
        "within tolerance",
        "up",
        "double",
        "below, tolerated",
        "half",
        "idle",
        "mean",
        "exact",
    ],
)
def test_ratio_of_use_to_target(use: list[int | None], expected: int, utilization: int) -> None:
    found = propose(CPU50, use)
    assert (found.replicas, found.utilization) == (expected, utilization)


@pytest.mark.parametrize(
    ("use", "pods", "expected"),
    [
        ([1000, 1000, None], [{}, {}, {}], 4),
        ([100, 100, None], [{}, {}, {}], 3),
        ([250, 250, None, None], [{}, {}, {}, {}], 4),
        ([1000, 0], [{}, {"ready": False, "age": 20.0}], 2),
        ([1000, 1000, 0], [{}, {}, {"phase": "Pending"}], 4),
        ([100, 100, 1000], [{}, {}, {"ready": False, "age": 20.0}], 1),
        ([1000, 1000, 1000], [{}, {}, {"deleting": True}], 4),
        ([1000, 1000, 1000], [{}, {}, {"phase": "Failed"}], 4),
        ([1000, 1000], [{"age": 100.0, "changed": 60.0}, {"age": 100.0, "changed": 10.0}], 2),
        ([1000, 1000], [{}, {"ready": False, "age": 1000.0, "changed": 500.0}], 4),
        ([1000, 1000], [{}, {"ready": False, "age": 1000.0, "changed": 980.0}], 2),
    ],
    ids=[
        "missing counts as idle when scaling up",
        "missing counts as fully used when scaling down",
        "which may turn the direction: then nothing happens",
        "unready counts as idle when scaling up",
        "so does pending",
        "unready is left out when scaling down",
        "terminating is left out",
        "failed is left out",
        "a young pod counts when it was measured since it became ready",
        "an old pod that lost its readiness counts",
        "one that never was ready does not",
    ],
)
def test_pods_about_which_too_little_is_known(
    use: list[int | None], pods: list[dict[str, Any]], expected: int
) -> None:
    assert propose(CPU50, use, pods).replicas == expected


def test_memory_counts_from_the_first_moment() -> None:
    young = [{"age": 1.0, "changed": 1.0}, {"age": 1.0, "changed": 1.0}]
    assert propose(Target("memory", utilization=50), [1000, 1000], young).replicas == 4


@pytest.mark.parametrize(
    ("use", "expected"), [([200, 200], 2), ([300, 300], 3), ([100, 100, 100, 100], 2)]
)
def test_average_values_need_no_requests(use: list[int | None], expected: int) -> None:
    found = propose(Target("cpu", average=200), use, [{"request": None}] * len(use))
    assert found.replicas == expected
    assert found.utilization is None


@pytest.mark.parametrize(
    ("use", "pods", "message"),
    [
        ([], [], "no pods returned by selector"),
        ([None], [{}], "did not receive metrics for targeted pods"),
        ([100], [{"request": None}], "missing request for cpu in container main of Pod 0"),
    ],
)
def test_what_cannot_be_said(
    use: list[int | None], pods: list[dict[str, Any]], message: str
) -> None:
    with pytest.raises(MetricError, match=message):
        propose(CPU50, use, pods, current=1)


# -- behaviour --------------------------------------------------------------------------------


def hpa(**behavior: Any) -> Object:
    return {"spec": {"behavior": behavior} if behavior else {}}


def test_defaults_of_the_rules() -> None:
    up, down = hpa_behavior.rules(hpa(), 300)
    assert up == Rules(0, "Max", (Policy("Percent", 100, 15), Policy("Pods", 4, 15)))
    assert down == Rules(300, "Max", (Policy("Percent", 100, 15),))


def test_what_the_object_says_counts() -> None:
    policy = {"type": "Pods", "value": 1, "periodSeconds": 60}
    down_rule = {"stabilizationWindowSeconds": 0, "selectPolicy": "Min", "policies": [policy]}
    up, down = hpa_behavior.rules(
        hpa(scaleDown=down_rule, scaleUp={"selectPolicy": "Disabled"}), 300
    )
    assert down == Rules(0, "Min", (Policy("Pods", 1, 60),))
    assert (up.select, len(up.policies)) == ("Disabled", 2)


def rule(window: float = 0, select: str = "Max", *policies: Policy) -> Rules:
    return Rules(window, select, policies or (Policy("Percent", 100, 15),))


@pytest.mark.parametrize(
    ("desired", "current", "up", "down", "before", "expected", "reason"),
    [
        (8, 5, 0, 300, [], 8, "ReadyForNewScale"),
        (3, 5, 0, 300, [], 5, "ScaleDownStabilized"),
        (3, 5, 0, 300, [(301, 9), (100, 4)], 4, "ScaleDownStabilized"),
        (3, 5, 0, 300, [(100, 9)], 5, "ScaleDownStabilized"),
        (3, 5, 0, 0, [(10, 9)], 3, "ReadyForNewScale"),
        (8, 5, 60, 300, [(30, 6)], 6, "ScaleUpStabilized"),
        (8, 5, 60, 300, [(30, 2)], 5, "ScaleUpStabilized"),
        (5, 5, 0, 300, [(30, 5)], 5, "ReadyForNewScale"),
    ],
    ids=[
        "up at once",
        "at first what is there counts as recommended",
        "down to the highest of the window",
        "never up on the way down",
        "no window",
        "up to the lowest of the window",
        "never down on the way up",
        "nothing to do",
    ],
)
def test_windows(
    desired: int,
    current: int,
    up: float,
    down: float,
    before: list[tuple[float, int]],
    expected: int,
    reason: str,
) -> None:
    history = History(recommended=[(NOW - age, n) for age, n in before])
    found, why = hpa_behavior.stabilize(desired, current, rule(up), rule(down), history, NOW)
    assert (found, why.reason) == (expected, reason)
    assert history.recommended[-1] == (NOW, desired)


PODS2 = Policy("Pods", 2, 60)
PERCENT50 = Policy("Percent", 50, 60)


@pytest.mark.parametrize(
    ("desired", "current", "up", "down", "added", "removed", "expected", "reason"),
    [
        (20, 4, rule(0, "Max", PODS2, PERCENT50), rule(), [], [], 6, "ScaleUpLimit"),
        (20, 10, rule(0, "Max", PODS2, PERCENT50), rule(), [], [], 15, "ScaleUpLimit"),
        (20, 10, rule(0, "Min", PODS2, PERCENT50), rule(), [], [], 12, "ScaleUpLimit"),
        (20, 10, rule(0, "Disabled"), rule(), [], [], 10, "ScaleUpLimit"),
        (20, 10, rule(0, "Max", PODS2), rule(), [(30, 1)], [], 11, "ScaleUpLimit"),
        (20, 10, rule(0, "Max", PODS2), rule(), [(61, 2)], [], 12, "ScaleUpLimit"),
        (20, 10, rule(0, "Max", PODS2), rule(), [(30, 2)], [], 10, "ScaleUpLimit"),
        (20, 3, rule(0, "Max", Policy("Percent", 10, 60)), rule(), [], [], 4, "ScaleUpLimit"),
        (60, 40, rule(), rule(), [], [], 50, "TooManyReplicas"),
        (2, 10, rule(), rule(0, "Max", PODS2, PERCENT50), [], [], 5, "ScaleDownLimit"),
        (2, 10, rule(), rule(0, "Min", PODS2, PERCENT50), [], [], 8, "ScaleDownLimit"),
        (2, 10, rule(), rule(0, "Max", PODS2), [], [(30, 1)], 9, "ScaleDownLimit"),
        (2, 10, rule(), rule(0, "Disabled"), [], [], 10, "ScaleDownLimit"),
        (0, 10, rule(), rule(), [], [], 1, "TooFewReplicas"),
        (7, 10, rule(), rule(), [], [], 7, "DesiredWithinRange"),
        (10, 10, rule(), rule(), [], [], 10, "DesiredWithinRange"),
    ],
)
def test_rates_and_bounds(
    desired: int,
    current: int,
    up: Rules,
    down: Rules,
    added: list[tuple[float, int]],
    removed: list[tuple[float, int]],
    expected: int,
    reason: str,
) -> None:
    history = History(
        added=[(NOW - age, n) for age, n in added], removed=[(NOW - age, n) for age, n in removed]
    )
    found, why = hpa_behavior.limit(desired, current, (1, 50), up, down, history, NOW)
    assert (found, why.reason) == (expected, reason)
    assert why.limited == (found != desired)


@pytest.mark.parametrize(
    ("text", "milli"),
    [
        ("1", 1000),
        ("250m", 250),
        ("1500000n", 2),
        ("0.5", 500),
        ("1k", 1_000_000),
        ("1Ki", 1_024_000),
        ("2e2", 200_000),
    ],
)
def test_quantities_in_thousandths(text: str, milli: int) -> None:
    assert quantities.milli(text) == milli


@pytest.mark.parametrize(("value", "text"), [(250, "250m"), (2000, "2"), (1500, "1500m"), (0, "0")])
def test_thousandths_as_quantities(value: int, text: str) -> None:
    assert quantities.render_milli(value) == text


@pytest.mark.parametrize("text", ["", "abc", "1Xi", "Mi"])
def test_what_is_no_quantity(text: str) -> None:
    with pytest.raises(ValueError, match="not a quantity"):
        quantities.parse(text)
