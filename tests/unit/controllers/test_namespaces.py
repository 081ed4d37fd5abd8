"""Namespaces: what they hold from the start, and how they end."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from meshcourse.embedded.controllers import conditions, kinds
from meshcourse.embedded.controllers.context import Options
from meshcourse.embedded.kube import objects, refs
from tests.unit.controllers.world import World, deployment, until, worlds

CA = "-----BEGIN CERTIFICATE-----\n"


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with worlds("real", tmp_path, Options(root_ca=CA)) as found:
        await found.create(refs.NAMESPACES, {"metadata": {"name": "shop"}}, None)
        await until(lambda: found.get(refs.CONFIGMAPS, "kube-root-ca.crt", "shop"))
        yield found


async def test_every_namespace_has_an_account_and_the_root_certificate(world: World) -> None:
    for namespace in ("default", "kube-system", "shop"):
        assert world.get(refs.SERVICEACCOUNTS, "default", namespace) is not None
        found = world.get(refs.CONFIGMAPS, "kube-root-ca.crt", namespace)
        assert found is not None
        assert found["data"] == {"ca.crt": CA}


async def test_both_are_restored(world: World) -> None:
    await world.client.delete(refs.SERVICEACCOUNTS, "default", "shop")
    patch = {"data": {"ca.crt": "other"}}
    await world.client.patch(refs.CONFIGMAPS, "kube-root-ca.crt", patch, "shop")
    await until(lambda: world.get(refs.SERVICEACCOUNTS, "default", "shop"))
    await until(
        lambda: (
            (world.get(refs.CONFIGMAPS, "kube-root-ca.crt", "shop") or {})["data"]["ca.crt"] == CA
        )
    )


async def test_deletion_takes_everything_and_waits_for_pods(world: World) -> None:
    await world.create(refs.DEPLOYMENTS, deployment(replicas=2), "shop")
    await until(lambda: len(world.all(refs.PODS, "shop")) == 2)
    for pod in world.all(refs.PODS, "shop"):
        await world.run(pod)
    await world.client.delete(refs.NAMESPACES, "shop")

    def remaining() -> str:
        found = world.get(refs.NAMESPACES, "shop", "")
        cond = conditions.find(
            objects.dig(found, "status.conditions", []), "NamespaceContentRemaining"
        )
        return cond["message"] if cond else ""

    message = await until(remaining)
    assert message == "Some resources are remaining: pods. has 2 resource instances"
    await world.keep_running(lambda: world.get(refs.NAMESPACES, "shop", "") is None)
    assert [kind for kind in kinds.BUILT_IN if kind.namespaced and world.all(kind, "shop")] == []


async def test_a_finalizer_is_named_in_the_conditions(world: World) -> None:
    held = {"metadata": {"name": "held", "finalizers": ["example.org/keep"]}}
    await world.create(refs.CONFIGMAPS, held, "shop")
    await world.client.delete(refs.NAMESPACES, "shop")

    def message() -> str:
        found = world.get(refs.NAMESPACES, "shop", "")
        cond = conditions.find(
            objects.dig(found, "status.conditions", []), "NamespaceFinalizersRemaining"
        )
        return cond["message"] if cond else ""

    await until(lambda: "example.org/keep in 1 resource instances" in message())
    await world.client.patch(refs.CONFIGMAPS, "held", {"metadata": {"finalizers": None}}, "shop")
    await until(lambda: world.get(refs.NAMESPACES, "shop", "") is None)
