"""EndpointSlices: what stands behind a Service, and where."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from meshcourse.embedded.controllers import slice_plan
from meshcourse.embedded.controllers.endpoint_plan import Port
from meshcourse.embedded.kube import addresses, objects, refs
from meshcourse.embedded.kube.objects import Object
from tests.unit.controllers.world import World, service, template, until, worlds


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with worlds("real", tmp_path) as found:
        yield found


def pod(name: str, port: int = 8080, **meta: Any) -> Object:
    made = template()
    made["spec"]["containers"][0]["ports"] = [{"name": "http", "containerPort": port}]
    return {**made, "metadata": {**made["metadata"], "name": name, **meta}}


def slices(world: World, name: str = "web") -> list[Object]:
    found = world.all(refs.ENDPOINTSLICES)
    return [one for one in found if objects.labels(one)[slice_plan.SERVICE_NAME] == name]


def ready(world: World) -> dict[str, bool]:
    return {
        endpoint["targetRef"]["name"]: endpoint["conditions"]["ready"]
        for one in slices(world)
        for endpoint in one["endpoints"]
    }


async def test_a_service_without_pods_has_an_empty_slice(world: World) -> None:
    made = await world.create(refs.SERVICES, service())
    (one,) = await until(lambda: slices(world))
    assert objects.name(one).startswith("web-")
    assert (one["endpoints"], one["ports"], one["addressType"]) == ([], [], "IPv4")
    assert objects.labels(one)[slice_plan.MANAGED_BY] == "endpointslice-controller.k8s.io"
    assert one["metadata"]["ownerReferences"] == [objects.owner_reference(made)]


async def test_a_ready_pod_is_there_within_milliseconds(world: World) -> None:
    await world.create(refs.SERVICES, service())
    made = await world.create(refs.PODS, pod("a"))
    await until(lambda: slices(world))
    began = time.perf_counter()
    running = await world.run(made)
    await until(lambda: ready(world) == {"a": True})
    assert time.perf_counter() - began < 0.1  # generous: the machine is shared
    (one,) = slices(world)
    assert one["ports"] == [{"name": "http", "port": 8080, "protocol": "TCP"}]
    (endpoint,) = one["endpoints"]
    assert endpoint["addresses"] == [running["status"]["podIP"]]
    assert endpoint["conditions"] == {"ready": True, "serving": True, "terminating": False}
    assert endpoint["nodeName"] == "node"
    assert endpoint["targetRef"]["uid"] == objects.uid(made)


async def test_a_terminating_pod_serves_but_is_not_ready(world: World) -> None:
    await world.create(refs.SERVICES, service())
    await world.run(await world.create(refs.PODS, pod("a")))
    await until(lambda: ready(world) == {"a": True})
    await world.client.delete(refs.PODS, "a", "default")
    await until(lambda: ready(world) == {"a": False})
    assert slices(world)[0]["endpoints"][0]["conditions"] == {
        "ready": False,
        "serving": True,
        "terminating": True,
    }
    await world.client.delete(refs.PODS, "a", "default", grace_seconds=0)
    await until(lambda: ready(world) == {})


async def test_pods_whose_named_port_differs_go_into_separate_slices(world: World) -> None:
    await world.create(refs.SERVICES, service())
    await world.run(await world.create(refs.PODS, pod("a", 8080)))
    await world.run(await world.create(refs.PODS, pod("b", 9090)))
    await until(lambda: len(slices(world)) == 2)
    assert {one["ports"][0]["port"] for one in slices(world)} == {8080, 9090}
    await world.client.delete(refs.PODS, "b", "default", grace_seconds=0)
    await until(lambda: len(slices(world)) == 1)
    assert ready(world) == {"a": True}


async def test_ports_are_those_where_the_pod_really_listens(world: World) -> None:
    await world.create(refs.SERVICES, service())
    await until(lambda: slices(world))
    where = addresses.PodAddresses("127.0.0.1", "127.0.0.1", {8080: (40001, 40002)})
    made = await world.run(await world.create(refs.PODS, pod("a")))
    notes = {addresses.ANNOTATION: where.render()}
    await world.change(refs.PODS, objects.name(made), {"metadata": {"annotations": notes}})
    await until(
        lambda: slices(world)[0]["ports"][:1] and slices(world)[0]["ports"][0]["port"] == 40001
    )


async def test_not_ready_pods_are_published_on_request(world: World) -> None:
    await world.create(refs.SERVICES, service(publishNotReadyAddresses=True))
    await world.run(await world.create(refs.PODS, pod("a")), ready=False)
    await until(lambda: ready(world) == {"a": True})
    assert slices(world)[0]["endpoints"][0]["conditions"]["serving"] is False


async def test_services_without_selector_are_left_alone(world: World) -> None:
    await world.create(refs.SERVICES, service("other", selector=None))
    await world.create(refs.SERVICES, service())
    await until(lambda: slices(world))
    assert slices(world, "other") == []


async def test_a_pod_that_changes_its_labels_leaves(world: World) -> None:
    await world.create(refs.SERVICES, service())
    await world.run(await world.create(refs.PODS, pod("a")))
    await until(lambda: ready(world) == {"a": True})
    await world.change(refs.PODS, "a", {"metadata": {"labels": {"app": "other"}}})
    await until(lambda: ready(world) == {})


async def test_a_deleted_slice_comes_back(world: World) -> None:
    await world.create(refs.SERVICES, service())
    await world.run(await world.create(refs.PODS, pod("a")))
    await until(lambda: ready(world) == {"a": True})
    before = objects.name(slices(world)[0])
    await world.client.delete(refs.ENDPOINTSLICES, before, "default")
    await until(lambda: slices(world) and objects.name(slices(world)[0]) != before)
    await until(lambda: ready(world) == {"a": True})


# -- distribution over slices, pure ---------------------------------------------------------

_OWNER: Object = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "web", "namespace": "default", "uid": "u"},
}
_HTTP = (Port("http", 80, "TCP", ""),)


def endpoint(number: int) -> Object:
    return {"addresses": [f"127.66.{number // 250}.{number % 250}"], "conditions": {"ready": True}}


def existing(name: str, numbers: range) -> Object:
    made = slice_plan.build(_OWNER, {}, _HTTP, [endpoint(n) for n in numbers])
    return {**made, "metadata": {**made["metadata"], "name": name}}


@pytest.mark.parametrize(
    ("wanted", "have", "created", "updated", "deleted"),
    [
        (0, [], 1, 0, 0),
        (250, [], 3, 0, 0),
        (100, [range(100)], 0, 0, 0),
        (101, [range(100)], 1, 0, 0),
        (60, [range(50)], 0, 1, 0),
        (50, [range(50), range(50, 90)], 0, 0, 1),
        (0, [range(50)], 0, 1, 0),
    ],
    ids=["none", "many", "same", "overflow", "grow", "empty one goes", "last one stays"],
)
def test_writes_are_few(
    wanted: int, have: list[range], created: int, updated: int, deleted: int
) -> None:
    groups = {_HTTP: [endpoint(n) for n in range(wanted)]} if wanted else {}
    plan = slice_plan.plan(
        _OWNER, {}, groups, [existing(str(i), numbers) for i, numbers in enumerate(have)]
    )
    assert (len(plan.create), len(plan.update), len(plan.delete)) == (created, updated, deleted)


def test_endpoints_stay_in_their_slices() -> None:
    have = [existing("a", range(0, 60)), existing("b", range(60, 120))]
    plan = slice_plan.plan(_OWNER, {}, {_HTTP: [endpoint(n) for n in range(10, 121)]}, have)
    (changed,) = plan.update
    assert objects.name(changed) == "a"
    numbers = [endpoint(n)["addresses"] for n in [*range(10, 60), 120]]
    assert [e["addresses"] for e in changed["endpoints"]] == numbers
