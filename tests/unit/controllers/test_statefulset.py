"""StatefulSets and DaemonSets, against the embedded API server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from meshcourse.embedded.controllers import controller_revisions
from meshcourse.embedded.controllers.controller_revisions import HASH
from meshcourse.embedded.controllers.statefulset import CLAIMS
from meshcourse.embedded.kube import objects, refs
from meshcourse.embedded.kube.objects import Object
from tests.unit.controllers.world import World, template, until, worlds


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with worlds("real", tmp_path) as found:
        if found.get(refs.NODES, "node", "") is None:
            await found.create(refs.NODES, {"metadata": {"name": "node"}}, None)
        yield found


def statefulset(replicas: int = 2, **spec: Any) -> Object:
    chosen = {
        "replicas": replicas,
        "serviceName": "web",
        "selector": {"matchLabels": {"app": "web"}},
        "template": template(),
        "podManagementPolicy": "OrderedReady",
        "updateStrategy": {"type": "RollingUpdate"},
        **spec,
    }
    return {"metadata": {"name": "web"}, "spec": chosen}


def daemonset(**spec: Any) -> Object:
    chosen = {"selector": {"matchLabels": {"app": "web"}}, "template": template(), **spec}
    return {"metadata": {"name": "web"}, "spec": chosen}


def names(world: World) -> list[str]:
    return sorted(map(objects.name, world.alive()))


def images(world: World) -> list[str]:
    pods = sorted(world.alive(), key=objects.name)
    return [pod["spec"]["containers"][0]["image"] for pod in pods]


def status(world: World) -> Object:
    return (world.get(refs.STATEFULSETS, "web") or {}).get("status") or {}


def settled(world: World, replicas: int) -> bool:
    found = status(world)
    return (
        found.get("updatedReplicas", 0) == found.get("readyReplicas", 0) == replicas
        and found.get("replicas") == replicas
        and found.get("currentRevision") == found.get("updateRevision")
    )


async def test_pods_come_in_order_with_stable_names(world: World) -> None:
    await world.create(refs.STATEFULSETS, statefulset(2))
    await until(lambda: names(world) == ["web-0"])
    first = world.alive()[0]
    assert first["spec"]["hostname"] == "web-0"
    assert first["spec"]["subdomain"] == "web"
    assert objects.labels(first)["statefulset.kubernetes.io/pod-name"] == "web-0"
    assert objects.labels(first)["apps.kubernetes.io/pod-index"] == "0"
    await until(lambda: status(world).get("replicas") == 1)
    assert names(world) == ["web-0"]
    await world.run(first)
    await until(lambda: names(world) == ["web-0", "web-1"])
    await world.keep_running(lambda: settled(world, 2))
    assert status(world)["availableReplicas"] == 2
    message = "create Pod web-0 in StatefulSet web successful"
    await until(lambda: message in world.messages("SuccessfulCreate"))


async def test_a_lost_pod_comes_back_under_its_name(world: World) -> None:
    await world.create(refs.STATEFULSETS, statefulset(2))
    await world.keep_running(lambda: settled(world, 2))
    before = world.get(refs.PODS, "web-0") or {}
    await world.client.delete(refs.PODS, "web-0", "default", grace_seconds=0)
    await world.keep_running(lambda: settled(world, 2) and len(names(world)) == 2)
    after = world.get(refs.PODS, "web-0") or {}
    assert objects.uid(after) != objects.uid(before)


async def test_it_shrinks_from_the_end(world: World) -> None:
    await world.create(refs.STATEFULSETS, statefulset(3, podManagementPolicy="Parallel"))
    await until(lambda: len(names(world)) == 3)
    await world.keep_running(lambda: settled(world, 3))
    await world.change(refs.STATEFULSETS, "web", {"spec": {"replicas": 1}})
    await world.keep_running(lambda: settled(world, 1))
    assert names(world) == ["web-0"]


async def test_updates_run_from_the_end_down_to_the_partition(world: World) -> None:
    await world.create(refs.STATEFULSETS, statefulset(3))
    await world.keep_running(lambda: settled(world, 3))
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"partition": 1}}
    spec = {"template": template(image="web:2"), "updateStrategy": strategy}
    await world.change(refs.STATEFULSETS, "web", {"spec": spec})
    await world.keep_running(lambda: images(world) == ["web:1", "web:2", "web:2"])
    await world.keep_running(lambda: status(world).get("updatedReplicas") == 2)
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}}
    await world.change(refs.STATEFULSETS, "web", {"spec": {"updateStrategy": strategy}})
    await world.keep_running(lambda: settled(world, 3) and images(world) == ["web:2"] * 3)
    kept = [one["revision"] for one in world.all(controller_revisions.RESOURCE)]
    assert sorted(kept) == [1, 2]


async def test_claims_are_made_and_stay(world: World) -> None:
    claim = {
        "metadata": {"name": "data"},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "1Gi"}},
        },
    }
    await world.create(refs.STATEFULSETS, statefulset(1, volumeClaimTemplates=[claim]))
    (pod,) = await until(world.alive)
    assert {"name": "data", "persistentVolumeClaim": {"claimName": "data-web-0"}} in pod["spec"][
        "volumes"
    ]
    await world.client.delete(refs.STATEFULSETS, "web", "default")
    await until(lambda: not world.alive())
    assert [objects.name(one) for one in world.all(CLAIMS)] == ["data-web-0"]


async def test_a_daemon_runs_on_the_node(world: World) -> None:
    await world.create(refs.DAEMONSETS, daemonset())
    (pod,) = await until(world.alive)
    assert objects.name(pod).startswith("web-")
    affinity = pod["spec"]["affinity"]["nodeAffinity"]
    term = affinity["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"][0]
    assert term["matchFields"][0]["values"] == ["node"]
    await world.run(pod)
    wanted = {
        "currentNumberScheduled": 1,
        "numberMisscheduled": 0,
        "desiredNumberScheduled": 1,
        "numberReady": 1,
        "observedGeneration": 1,
        "updatedNumberScheduled": 1,
        "numberAvailable": 1,
    }
    await until(lambda: objects.dig(world.get(refs.DAEMONSETS, "web"), "status") == wanted)


async def test_a_daemon_is_replaced_when_its_template_changes(world: World) -> None:
    await world.create(refs.DAEMONSETS, daemonset())
    await world.keep_running(lambda: images(world) == ["web:1"])
    await world.change(refs.DAEMONSETS, "web", {"spec": {"template": template(image="web:2")}})
    await world.keep_running(lambda: images(world) == ["web:2"])
    revisions = sorted(world.all(controller_revisions.RESOURCE), key=lambda one: one["revision"])
    assert [one["revision"] for one in revisions] == [1, 2]
    assert objects.labels(world.alive()[0])[HASH] == objects.labels(revisions[1])[HASH]


async def test_a_daemon_that_no_node_admits_does_not_run(world: World) -> None:
    made = template()
    made["spec"]["nodeSelector"] = {"disk": "ssd"}
    await world.create(refs.DAEMONSETS, daemonset(template=made))
    await until(
        lambda: objects.dig(world.get(refs.DAEMONSETS, "web"), "status.desiredNumberScheduled") == 0
    )
    assert world.alive() == []
    patch = {"metadata": {"labels": {"disk": "ssd"}}}
    await world.client.patch(refs.NODES, "node", patch)
    await until(world.alive)
