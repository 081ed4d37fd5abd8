"""Garbage collection: background, foreground, orphans, and owners that never were."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from meshcourse.embedded.kube import objects, refs
from meshcourse.embedded.kube.objects import Object
from meshcourse.embedded.kube.refs import Resource
from tests.unit.controllers.world import World, deployment, until, worlds

WIDGETS = Resource("example.org", "v1", "widgets", "Widget")


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with worlds("real", tmp_path) as found:
        yield found


def configmap(name: str, *owners: Object, **meta: object) -> Object:
    references = [objects.owner_reference(owner, controller=False) for owner in owners]
    return {"metadata": {"name": name, "ownerReferences": references, **meta}}


def named(world: World, name: str) -> Object | None:
    return world.get(refs.CONFIGMAPS, name)


async def test_dependents_follow_in_the_background(world: World) -> None:
    await world.create(refs.DEPLOYMENTS, deployment(replicas=2))
    await until(lambda: len(world.alive()) == 2)
    await world.client.delete(refs.DEPLOYMENTS, "web", "default")
    await until(lambda: not world.all(refs.REPLICASETS) and not world.all(refs.PODS))


async def test_foreground_deletion_waits_for_blocking_dependents(world: World) -> None:
    await world.create(refs.DEPLOYMENTS, deployment(replicas=1))
    await until(world.alive)
    await world.run(world.alive()[0])
    await world.client.delete(refs.DEPLOYMENTS, "web", "default", propagation="Foreground")
    await until(lambda: not world.alive())
    assert world.get(refs.DEPLOYMENTS, "web") is not None
    assert world.all(refs.REPLICASETS) != []
    await world.keep_running(lambda: world.get(refs.DEPLOYMENTS, "web") is None)
    assert world.all(refs.REPLICASETS) == []


async def test_orphans_keep_living(world: World) -> None:
    await world.create(refs.DEPLOYMENTS, deployment(replicas=1))
    await until(world.alive)
    await world.client.delete(refs.DEPLOYMENTS, "web", "default", propagation="Orphan")
    await until(lambda: world.get(refs.DEPLOYMENTS, "web") is None)
    (rs,) = world.all(refs.REPLICASETS)
    assert objects.owner(rs) is None
    assert len(world.alive()) == 1


async def test_an_owner_that_never_was_takes_its_dependent_along(world: World) -> None:
    ghost = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "ghost", "uid": "g"}}
    await world.create(refs.CONFIGMAPS, configmap("child", ghost))
    await until(lambda: named(world, "child") is None)


async def test_a_namesake_of_the_owner_does_not_count(world: World) -> None:
    first = await world.create(refs.CONFIGMAPS, configmap("parent"))
    await world.client.delete(refs.CONFIGMAPS, "parent", "default")
    await world.create(refs.CONFIGMAPS, configmap("parent"))
    await world.create(refs.CONFIGMAPS, configmap("child", first))
    await until(lambda: named(world, "child") is None)
    assert named(world, "parent") is not None


async def test_one_of_two_owners_is_enough(world: World) -> None:
    one = await world.create(refs.CONFIGMAPS, configmap("one"))
    two = await world.create(refs.CONFIGMAPS, configmap("two"))
    await world.create(refs.CONFIGMAPS, configmap("child", one, two))
    await world.client.delete(refs.CONFIGMAPS, "one", "default")

    def owners() -> list[str]:
        return [ref["name"] for ref in (named(world, "child") or {})["metadata"]["ownerReferences"]]

    await until(lambda: owners() == ["two"])
    await world.client.delete(refs.CONFIGMAPS, "two", "default")
    await until(lambda: named(world, "child") is None)


async def test_owners_of_unknown_kinds_are_trusted(world: World) -> None:
    ghost = {
        "apiVersion": "example.org/v1",
        "kind": "Widget",
        "metadata": {"name": "w", "uid": "w"},
    }
    await world.create(refs.CONFIGMAPS, configmap("child", ghost))
    await world.create(
        refs.CONFIGMAPS, configmap("canary", {**ghost, "apiVersion": "v1", "kind": "Pod"})
    )
    await until(lambda: named(world, "canary") is None)
    assert named(world, "child") is not None


CRD = {
    "metadata": {"name": "widgets.example.org"},
    "spec": {
        "group": "example.org",
        "names": {"plural": "widgets", "kind": "Widget"},
        "scope": "Namespaced",
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {"openAPIV3Schema": {"type": "object"}},
            }
        ],
    },
    "status": {"conditions": [{"type": "Established", "status": "True"}]},
}


async def test_custom_resources_own_too_once_they_are_served(world: World) -> None:
    await world.create(refs.CRDS, CRD, None)
    owner = await world.create(WIDGETS, {"metadata": {"name": "w"}})
    await world.create(refs.CONFIGMAPS, configmap("child", owner))
    await world.client.delete(WIDGETS, "w", "default")
    await until(lambda: named(world, "child") is None)


async def test_dependents_follow_when_the_kind_of_their_owner_goes(tmp_path: Path) -> None:
    async with worlds("real", tmp_path) as world:
        await world.create(refs.CRDS, CRD, None)
        owner = await world.create(WIDGETS, {"metadata": {"name": "w"}})
        await world.create(refs.CONFIGMAPS, configmap("child", owner))
        await world.client.delete(refs.CRDS, "widgets.example.org")
        await until(lambda: named(world, "child") is None)
