"""Autoscalers against the embedded API server, with metrics made up by the test."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from meshcourse.embedded.client.protocol import ListResult
from meshcourse.embedded.controllers import conditions, rollout_plan, times
from meshcourse.embedded.controllers.context import Options
from meshcourse.embedded.kube import objects, refs, selectors, status
from meshcourse.embedded.kube.objects import Object
from meshcourse.embedded.kube.refs import Resource
from tests.unit.controllers.world import World, deployment, until, worlds

FAST = Options(hpa_period=0.02, hpa_down_window=0.2)


class Metered:
    """A client that answers for metrics.k8s.io itself: every pod uses `cpu`; None for no answer."""

    def __init__(self, inner: Any, world: World) -> None:
        self._inner = inner
        self._world = world
        self.cpu: str | None = "500m"

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def list(
        self,
        resource: Resource,
        namespace: str | None = None,
        *,
        label_selector: str = "",
        **more: Any,
    ) -> ListResult:
        if resource != refs.POD_METRICS:
            found: ListResult = await self._inner.list(
                resource, namespace, label_selector=label_selector, **more
            )
            return found
        if self.cpu is None:
            raise status.ApiError(
                503, "ServiceUnavailable", "the server is currently unable to handle the request"
            )
        chosen = selectors.parse_labels(label_selector)
        usage = [{"name": "main", "usage": {"cpu": self.cpu, "memory": "10Mi"}}]
        stamp = times.stamp(time.time() + 60)  # after everything that has happened
        items = [
            {"metadata": pod["metadata"], "timestamp": stamp, "window": "15s", "containers": usage}
            for pod in self._world.all(refs.PODS)
            if chosen.matches(objects.labels(pod)) and pod["status"]["phase"] == "Running"
        ]
        return ListResult(items, "0")


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with worlds("real", tmp_path, FAST, wrap=Metered) as found:
        web = deployment(replicas=2)
        web["spec"]["template"]["spec"]["containers"][0]["resources"] = {"requests": {"cpu": "1"}}
        await found.create(refs.DEPLOYMENTS, web)
        await found.keep_running(lambda: running(found) == 2)
        yield found


def running(world: World) -> int:
    return sum(objects.dig(pod, "status.phase") == "Running" for pod in world.alive())


def hpa(least: int = 1, most: int = 10, metrics: list[Object] | None = None, **more: Any) -> Object:
    cpu = {
        "type": "Resource",
        "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}},
    }
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    spec = {"scaleTargetRef": target, "minReplicas": least, "maxReplicas": most, **more}
    return {"metadata": {"name": "web"}, "spec": spec | {"metrics": metrics or [cpu]}}


def size(world: World) -> int:
    return rollout_plan.replicas(world.get(refs.DEPLOYMENTS, "web") or {})


def condition(world: World, type_: str) -> tuple[str, str]:
    found = objects.dig(world.get(refs.HPAS, "web"), "status.conditions", [])
    one = conditions.find(found, type_) or {}
    return one.get("status", ""), one.get("reason", "")


async def test_load_brings_more_pods_and_calm_fewer(world: World) -> None:
    await world.create(refs.HPAS, hpa(most=5))
    await until(lambda: condition(world, "ScalingActive") == ("True", "ValidMetricFound"))
    assert size(world) == 2
    world.client.cpu = "1"
    await world.keep_running(lambda: size(world) == 5)
    await until(lambda: condition(world, "ScalingLimited") == ("True", "TooManyReplicas"))
    reason = "cpu resource utilization (percentage of request) above target"
    await until(lambda: f"New size: 4; reason: {reason}" in world.messages("SuccessfulRescale"))
    await world.keep_running(lambda: running(world) == 5)
    world.client.cpu = "200m"
    await world.keep_running(lambda: size(world) == 2)
    await until(
        lambda: any("All metrics below target" in m for m in world.messages("SuccessfulRescale"))
    )
    found = (world.get(refs.HPAS, "web") or {})["status"]
    assert found["currentMetrics"][0]["resource"]["name"] == "cpu"
    assert found["lastScaleTime"]


async def test_the_status_says_what_was_measured(world: World) -> None:
    await world.create(refs.HPAS, hpa())
    await until(lambda: objects.dig(world.get(refs.HPAS, "web"), "status.currentMetrics"))
    found = (world.get(refs.HPAS, "web") or {})["status"]
    current = found["currentMetrics"][0]["resource"]["current"]
    assert current == {"averageUtilization": 50, "averageValue": "500m"}
    assert (found["currentReplicas"], found["desiredReplicas"]) == (2, 2)


async def test_bounds_count_even_without_metrics(world: World) -> None:
    world.client.cpu = None
    await world.create(refs.HPAS, hpa(least=3))
    await until(lambda: size(world) == 3)
    await until(lambda: world.messages("SuccessfulRescale"))
    assert world.messages("SuccessfulRescale") == [
        "New size: 3; reason: Current number of replicas below Spec.MinReplicas"
    ]


async def test_missing_metrics_are_reported_and_change_nothing(world: World) -> None:
    world.client.cpu = None
    await world.create(refs.HPAS, hpa())
    await until(lambda: condition(world, "ScalingActive") == ("False", "FailedGetResourceMetric"))
    await until(lambda: world.messages("FailedComputeMetricsReplicas"))
    (message,) = world.messages("FailedComputeMetricsReplicas")
    assert message.startswith(
        "invalid metrics (1 invalid out of 1), first error is: failed to get cpu resource metric "
        "value: failed to get cpu utilization: unable to get metrics for resource cpu: "
    )
    assert size(world) == 2


async def test_a_target_that_is_not_there_is_reported(world: World) -> None:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "missing"}
    await world.create(refs.HPAS, hpa(scaleTargetRef=target))
    await until(lambda: condition(world, "AbleToScale") == ("False", "FailedGetScale"))
    await until(lambda: world.messages("FailedGetScale"))
    assert world.messages("FailedGetScale")[0] == 'deployments.apps "missing" not found'


async def test_custom_metrics_have_no_source(world: World) -> None:
    metric = {
        "type": "Pods",
        "pods": {
            "metric": {"name": "hits"},
            "target": {"type": "AverageValue", "averageValue": "10"},
        },
    }
    await world.create(refs.HPAS, hpa(metrics=[metric]))
    await until(lambda: condition(world, "ScalingActive") == ("False", "FailedGetPodsMetric"))


async def test_a_deployment_at_zero_is_left_alone(world: World) -> None:
    await world.change(refs.DEPLOYMENTS, "web", {"spec": {"replicas": 0}})
    await world.create(refs.HPAS, hpa())
    await until(lambda: condition(world, "ScalingActive") == ("False", "ScalingDisabled"))
    assert size(world) == 0
