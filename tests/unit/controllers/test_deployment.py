"""Deployments end to end: ReplicaSets, pods, events and status, against the embedded API server."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from meshcourse.embedded.controllers import conditions, revisions, rollout_plan, rollout_status
from meshcourse.embedded.kube import objects, refs, status
from meshcourse.embedded.kube.objects import Object
from tests.unit.controllers.world import World, deployment, template, until, worlds


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with worlds("real", tmp_path) as found:
        yield found


@pytest.fixture
async def fake(tmp_path: Path) -> AsyncIterator[World]:
    """Where every call can be seen and refused."""
    async with worlds("fake", tmp_path) as found:
        yield found


def complete(world: World, name: str = "web") -> bool:
    found = world.get(refs.DEPLOYMENTS, name)
    return found is not None and rollout_status.is_complete(found, found.get("status") or {})


def sizes(world: World) -> dict[int, int]:
    """Replicas by revision."""
    return {revisions.of(rs): rollout_plan.replicas(rs) for rs in world.all(refs.REPLICASETS)}


def progressing(world: World, name: str = "web") -> Object:
    found = world.get(refs.DEPLOYMENTS, name)
    return conditions.find(objects.dig(found, "status.conditions", []), "Progressing") or {}


async def roll_out(world: World, image: str) -> None:
    await world.change(refs.DEPLOYMENTS, "web", {"spec": {"template": template(image=image)}})


async def test_creation_makes_pods_within_milliseconds(world: World) -> None:
    began = time.perf_counter()
    await world.create(refs.DEPLOYMENTS, deployment(replicas=3))
    await until(lambda: len(world.alive()) == 3)
    assert time.perf_counter() - began < 0.25  # generous: the machine is shared
    (rs,) = world.all(refs.REPLICASETS)
    mark = objects.labels(rs)["pod-template-hash"]
    assert objects.name(rs) == f"web-{mark}"
    assert rs["spec"]["selector"]["matchLabels"] == {"app": "web", "pod-template-hash": mark}
    assert all(objects.labels(p)["pod-template-hash"] == mark for p in world.alive())
    assert all(objects.name(p).startswith(f"web-{mark}-") for p in world.alive())
    await until(lambda: world.messages("SuccessfulCreate"))
    message = f"Scaled up replica set web-{mark} from 0 to 3"
    await until(lambda: world.messages("ScalingReplicaSet") == [message])


async def test_status_follows_the_pods(world: World) -> None:
    await world.create(refs.DEPLOYMENTS, deployment(replicas=2))
    await until(lambda: len(world.alive()) == 2)
    await until(lambda: progressing(world).get("reason") == "ReplicaSetUpdated")
    await world.keep_running(lambda: complete(world))
    found = await until(lambda: progressing(world).get("reason") == "NewReplicaSetAvailable")
    assert found
    web = world.get(refs.DEPLOYMENTS, "web")
    assert web is not None
    assert objects.annotations_of(web)[revisions.REVISION] == "1"
    state = web["status"]
    assert {k: v for k, v in state.items() if k != "conditions"} == {
        "observedGeneration": 1,
        "replicas": 2,
        "updatedReplicas": 2,
        "readyReplicas": 2,
        "availableReplicas": 2,
    }
    assert {(c["type"], c["status"], c["reason"]) for c in state["conditions"]} == {
        ("Available", "True", "MinimumReplicasAvailable"),
        ("Progressing", "True", "NewReplicaSetAvailable"),
    }


async def test_a_rolling_update_never_goes_below_what_must_be_available(world: World) -> None:
    await world.create(refs.DEPLOYMENTS, deployment(replicas=4))
    await world.keep_running(lambda: complete(world))
    await roll_out(world, "web:2")
    fewest, most = 4, 4

    def step() -> bool:
        nonlocal fewest, most
        ready = [p for p in world.alive() if objects.dig(p, "status.phase") == "Running"]
        fewest, most = min(fewest, len(ready)), max(most, len(world.alive()))
        return complete(world) and sizes(world) == {1: 0, 2: 4}

    await world.keep_running(step)
    assert fewest >= 3
    assert most <= 5
    assert progressing(world)["message"].startswith('ReplicaSet "web-')


async def test_undo_brings_back_the_old_replicaset_with_a_new_revision(world: World) -> None:
    await world.create(refs.DEPLOYMENTS, deployment(replicas=2))
    await world.keep_running(lambda: complete(world))
    await roll_out(world, "web:2")
    await world.keep_running(lambda: complete(world) and sizes(world) == {1: 0, 2: 2})
    await roll_out(world, "web:1")
    await world.keep_running(lambda: complete(world) and sizes(world) == {2: 0, 3: 2})
    assert len(world.all(refs.REPLICASETS)) == 2
    found = world.get(refs.DEPLOYMENTS, "web")
    assert found is not None
    assert revisions.of(found) == 3


async def test_recreate_waits_for_the_last_old_pod(world: World) -> None:
    await world.create(refs.DEPLOYMENTS, deployment(replicas=2, strategy={"type": "Recreate"}))
    await world.keep_running(lambda: complete(world))
    old = {objects.uid(p) for p in world.alive()}
    await roll_out(world, "web:2")
    await until(lambda: not world.alive())
    assert {objects.uid(p) for p in world.all(refs.PODS)} == old
    assert list(sizes(world)) == [1]
    await world.keep_running(lambda: complete(world) and sizes(world) == {1: 0, 2: 2})


async def test_history_beyond_the_limit_is_removed(world: World) -> None:
    await world.create(refs.DEPLOYMENTS, deployment(replicas=1, revisionHistoryLimit=1))
    await world.keep_running(lambda: complete(world))
    for image in ("web:2", "web:3", "web:4"):
        await roll_out(world, image)
        revision = int(image[-1])
        await world.keep_running(lambda r=revision: complete(world) and sizes(world).get(r) == 1)
    await until(lambda: sizes(world) == {3: 0, 4: 1})


async def test_a_paused_deployment_scales_but_does_not_roll(world: World) -> None:
    await world.create(refs.DEPLOYMENTS, deployment(replicas=2))
    await world.keep_running(lambda: complete(world))
    await world.change(refs.DEPLOYMENTS, "web", {"spec": {"paused": True}})
    await until(lambda: progressing(world).get("reason") == "DeploymentPaused")
    await roll_out(world, "web:2")
    await world.change(refs.DEPLOYMENTS, "web", {"spec": {"replicas": 3}})
    await until(lambda: sizes(world) == {1: 3})
    await world.change(refs.DEPLOYMENTS, "web", {"spec": {"paused": None}})
    await world.keep_running(lambda: complete(world) and sizes(world) == {1: 0, 2: 3})


async def test_scaling_in_the_middle_of_a_rollout_is_proportional(world: World) -> None:
    await world.create(refs.DEPLOYMENTS, deployment(replicas=10))
    await world.keep_running(lambda: complete(world))
    await roll_out(world, "broken")  # its pods never become ready
    await until(lambda: sizes(world) == {1: 8, 2: 5})
    await world.change(refs.DEPLOYMENTS, "web", {"spec": {"replicas": 20}})
    await until(lambda: sum(sizes(world).values()) == 25)
    assert sizes(world) == {1: 15, 2: 10}


async def test_a_deadline_that_passes_is_reported(world: World) -> None:
    await world.create(refs.DEPLOYMENTS, deployment(progressDeadlineSeconds=1))
    found = await until(lambda: progressing(world).get("status") == "False" and progressing(world))
    assert found["reason"] == "ProgressDeadlineExceeded"
    assert found["message"].endswith("has timed out progressing.")


async def test_what_the_server_refuses_shows_in_the_conditions(fake: World) -> None:
    def refuse(verb: str, resource: refs.Resource, name: str, body: Object) -> None:
        if (verb, resource) == ("create", refs.PODS):
            raise status.forbidden(resource, name, "exceeded quota: tiny")

    fake.client.refuse = refuse
    await fake.create(refs.DEPLOYMENTS, deployment())

    def failure() -> Object | None:
        found = objects.dig(fake.get(refs.DEPLOYMENTS, "web"), "status.conditions", [])
        return conditions.find(found, "ReplicaFailure")

    found = await until(failure)
    assert (found["status"], found["reason"]) == ("True", "FailedCreate")
    assert "exceeded quota: tiny" in found["message"]
    fake.client.refuse = None
    await until(fake.alive)
    await until(lambda: failure() is None)


async def test_an_orphaned_replicaset_is_adopted_and_a_stranger_released(world: World) -> None:
    made = await world.create(refs.DEPLOYMENTS, deployment(replicas=1))
    rs = (await until(lambda: world.all(refs.REPLICASETS)))[0]
    name = objects.name(rs)
    await world.change(refs.REPLICASETS, name, {"metadata": {"ownerReferences": None}})
    await until(lambda: objects.owner(world.all(refs.REPLICASETS)[0]))
    assert objects.owner(world.all(refs.REPLICASETS)[0]) == objects.owner_reference(made)
    pod = (await until(world.alive))[0]
    await world.change(refs.PODS, objects.name(pod), {"metadata": {"labels": {"app": "mine"}}})
    await until(lambda: len(world.alive()) == 2)
    released = world.get(refs.PODS, objects.name(pod))
    assert released is not None
    assert objects.owner(released) is None


async def test_many_deployments_roll_without_piling_up(fake: World) -> None:
    names = [f"d{index}" for index in range(50)]
    for name in names:
        await fake.create(refs.DEPLOYMENTS, deployment(name, replicas=2))
    await fake.keep_running(lambda: all(complete(fake, name) for name in names))
    created = [call for call in fake.client.calls if call[:2] == ("create", "pods")]
    assert len(created) == 100
    fake.client.calls.clear()
    for name in names:
        spec = {"template": template(name, "web:2")}
        await fake.change(refs.DEPLOYMENTS, name, {"spec": spec})
    await fake.keep_running(lambda: all(complete(fake, name) for name in names))
    created = [call for call in fake.client.calls if call[:2] == ("create", "pods")]
    assert len(created) == 100
    # Two pods replaced one after the other, with everything that the node, status and events write about it.
    assert len(fake.client.calls) / len(names) < 60
