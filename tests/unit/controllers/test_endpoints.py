"""Legacy Endpoints, made and mirrored; pods and events that nobody else removes."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from meshcourse.embedded.controllers import endpoints_mirroring, pod_gc, slice_plan, times
from meshcourse.embedded.controllers.context import Options
from meshcourse.embedded.kube import objects, refs
from meshcourse.embedded.kube.objects import Object
from tests.unit.controllers.world import World, service, template, until, worlds


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with worlds("real", tmp_path) as found:
        yield found


async def pod(world: World, name: str, *, ready: bool = True) -> Object:
    made = template()
    made["metadata"]["name"] = name
    return await world.run(await world.create(refs.PODS, made), ready=ready)


def subsets(world: World, name: str = "web") -> list[Object]:
    found: list[Object] = objects.dig(world.get(refs.ENDPOINTS, name), "subsets", [])
    return found


def mirrored(world: World) -> list[Object]:
    return [
        one
        for one in world.all(refs.ENDPOINTSLICES)
        if objects.labels(one).get(slice_plan.MANAGED_BY) == endpoints_mirroring.CONTROLLER
    ]


async def test_ready_and_waiting_addresses(world: World) -> None:
    await world.create(refs.SERVICES, service())
    a = await pod(world, "a")
    b = await pod(world, "b", ready=False)
    await until(lambda: "notReadyAddresses" in (subsets(world) or [{}])[0])
    (subset,) = subsets(world)
    assert [one["ip"] for one in subset["addresses"]] == [a["status"]["podIP"]]
    assert [one["ip"] for one in subset["notReadyAddresses"]] == [b["status"]["podIP"]]
    assert subset["ports"] == [{"name": "http", "port": 8080, "protocol": "TCP"}]
    assert subset["addresses"][0]["targetRef"]["name"] == "a"
    await world.client.delete(refs.SERVICES, "web", "default")
    await until(lambda: world.get(refs.ENDPOINTS, "web") is None)


async def test_hand_made_endpoints_are_mirrored(world: World) -> None:
    await world.create(refs.SERVICES, service(selector=None))
    made: Object = {
        "metadata": {"name": "web"},
        "subsets": [
            {
                "addresses": [{"ip": "127.66.9.1"}],
                "notReadyAddresses": [{"ip": "127.66.9.2"}],
                "ports": [{"name": "http", "port": 80, "protocol": "TCP"}],
            }
        ],
    }
    await world.create(refs.ENDPOINTS, made)
    (one,) = await until(lambda: mirrored(world))
    assert {e["addresses"][0]: e["conditions"]["ready"] for e in one["endpoints"]} == {
        "127.66.9.1": True,
        "127.66.9.2": False,
    }
    assert objects.labels(one)[slice_plan.SERVICE_NAME] == "web"
    mark = {"endpointslice.kubernetes.io/skip-mirror": "true"}
    await world.change(refs.ENDPOINTS, "web", {"metadata": {"labels": mark}})
    await until(lambda: mirrored(world) == [])


async def test_pods_of_a_node_that_is_gone_are_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pod_gc, "QUARANTINE", 0.05)
    async with worlds("real", tmp_path) as world:
        await pod(world, "a")
        await world.client.delete(refs.NODES, "node")
        began = time.monotonic()
        await until(lambda: world.get(refs.PODS, "a") is None)
        assert time.monotonic() - began >= 0.05


async def test_events_do_not_stay_for_ever(tmp_path: Path) -> None:
    async with worlds("real", tmp_path, Options(event_ttl=60.0)) as world:
        for name, age in (("old", 61.0), ("young", 0.0), ("soon", 59.0)):
            stamp = times.stamp(time.time() - age)
            event = {
                "metadata": {"name": name},
                "involvedObject": {"kind": "Pod", "name": "a", "namespace": "default"},
                "lastTimestamp": stamp,
            }
            await world.create(refs.EVENTS, event)
        await until(lambda: world.get(refs.EVENTS, "old") is None)
        assert world.get(refs.EVENTS, "soon") is not None
        await until(lambda: world.get(refs.EVENTS, "soon") is None)
        assert world.get(refs.EVENTS, "young") is not None
