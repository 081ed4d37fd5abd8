"""Statuses are written when they change and not otherwise; managed gateways become objects."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from meshcourse.embedded.istio import model
from meshcourse.embedded.istio.gateway_api.classes import CONTROLLER
from meshcourse.embedded.istio.model.converted import Converted, Deployed, Source
from meshcourse.embedded.istiod import gateways, managed, statuses
from meshcourse.embedded.istiod.inject.values import Values
from meshcourse.embedded.kube import refs
from meshcourse.embedded.kube.objects import Key
from meshcourse.embedded.kube.status import ApiError

Object = dict[str, Any]


class World:
    """Objects by kind and key; `change` tells listeners, as informers do."""

    def __init__(self) -> None:
        self.found: dict[tuple[refs.Resource, str, str], Object] = {}
        self.listeners: list[Callable[..., None]] = []

    def get(self, resource: refs.Resource, namespace: str, name: str) -> Object | None:
        return self.found.get((resource, namespace, name))

    def serves(self, resource: refs.Resource) -> bool:
        return resource is refs.K8S_GATEWAYCLASSES

    def change(self, resource: refs.Resource, obj: Object) -> None:
        meta = obj["metadata"]
        self.found[resource, meta.get("namespace", ""), meta["name"]] = obj
        for listener in self.listeners:
            listener(resource, "MODIFIED", obj, None)


class Client:
    """Notes what is written, and lets the world know of statuses."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.written: list[tuple[str, Object]] = []
        self.conflicts = 0

    async def update(self, resource: refs.Resource, obj: Object, *, subresource: str) -> Object:
        assert subresource == "status"
        if self.conflicts:
            self.conflicts -= 1
            raise ApiError(409, "Conflict", "changed", {})
        self.written.append((resource.kind, obj["status"]))
        self.world.change(resource, obj)
        return obj

    async def create(self, resource: refs.Resource, obj: Object) -> Object:
        self.written.append((resource.kind, obj))
        self.world.change(resource, obj)
        return obj

    async def patch(
        self, resource: refs.Resource, name: str, obj: Object, namespace: str, **how: Any
    ) -> Object:
        assert how == {
            "kind": "apply",
            "field_manager": "istio.io/gateway-controller",
            "force": True,
        }
        assert (obj["metadata"]["name"], obj["metadata"]["namespace"]) == (name, namespace)
        self.written.append((resource.kind, obj))
        return obj


ROUTE = Source(refs.HTTPROUTES, Key("default", "web"))


def route(generation: int = 1, status: Object | None = None) -> Object:
    meta = {"name": "web", "namespace": "default", "generation": generation}
    return {"metadata": meta, **({"status": status} if status else {})}


def parent(value: str, controller: str = CONTROLLER, generation: int = 1) -> Object:
    condition = {"type": "Accepted", "status": value, "reason": "x", "message": ""}
    condition["observedGeneration"] = generation  # type: ignore[assignment]
    reference = {"name": "front" if controller == CONTROLLER else "other"}
    return {"parentRef": reference, "controllerName": controller, "conditions": [condition]}


def reported(value: str | None, generation: int = 1) -> model.Snapshot:
    wanted = {} if value is None else {ROUTE: {"parents": [parent(value, generation=generation)]}}
    return model.Snapshot(converted=Converted(statuses=wanted))


async def settled(client: Client, count: int) -> list[Object]:
    """What was written, when nothing more is under way."""
    async with asyncio.timeout(5):
        while len(client.written) < count:
            await asyncio.sleep(0.001)
    for _ in range(20):
        await asyncio.sleep(0)
    assert len(client.written) == count
    return [one for _, one in client.written]


async def test_statuses_are_written_when_they_change() -> None:
    world = World()
    client, others = Client(world), parent("True", "somebody.else/controller")
    world.change(refs.HTTPROUTES, route(status={"parents": [others]}))
    reports = statuses.Statuses(client, world)  # type: ignore[arg-type]
    reports.start()
    reports.update(reported("True"))
    (first,) = await settled(client, 1)
    assert [one["controllerName"] for one in first["parents"]] == [
        "somebody.else/controller",
        CONTROLLER,
    ]
    since = first["parents"][1]["conditions"][0]["lastTransitionTime"]
    reports.update(reported("True"))
    await settled(client, 1)
    reports.update(reported("False"))
    second = (await settled(client, 2))[1]
    assert second["parents"][1]["conditions"][0]["status"] == "False"
    assert since <= second["parents"][1]["conditions"][0]["lastTransitionTime"]
    reports.update(reported(None))
    third = (await settled(client, 3))[2]
    assert [one["controllerName"] for one in third["parents"]] == ["somebody.else/controller"]
    await reports.stop()


async def test_somebody_elses_overwriting_is_repaired_and_conflicts_are_waited_out() -> None:
    world = World()
    client = Client(world)
    client.conflicts = 1
    world.change(refs.HTTPROUTES, route())
    reports = statuses.Statuses(client, world)  # type: ignore[arg-type]
    reports.start()
    reports.update(reported("True"))
    async with asyncio.timeout(5):
        while client.conflicts:
            await asyncio.sleep(0.001)
    world.change(refs.HTTPROUTES, route())  # the change that was in our way
    await settled(client, 1)
    world.change(refs.HTTPROUTES, route())
    await settled(client, 2)
    await reports.stop()


async def test_a_report_on_an_older_generation_is_not_written() -> None:
    world = World()
    client = Client(world)
    world.change(refs.HTTPROUTES, route(generation=2))
    reports = statuses.Statuses(client, world)  # type: ignore[arg-type]
    reports.start()
    reports.update(reported("True", generation=1))
    await settled(client, 0)
    reports.update(reported("True", generation=2))
    await settled(client, 1)
    await reports.stop()


WANTED = Deployed(
    gateway=Key("default", "front"),
    uid="u",
    gateway_class="istio",
    name="front-istio",
    service_account="front-istio",
    ports=(("web", 80, "http"),),
    service_type="LoadBalancer",
    labels={"team": "blue"},
    annotations={"note": "x", "gateway.istio.io/name-override": "y"},
    address="127.66.240.9",
)


def test_the_objects_of_a_gateway() -> None:
    account, service, deployment = managed.build(WANTED, Values())
    for one in (account, service, deployment):
        meta = one["metadata"]
        assert meta["labels"]["team"] == "blue"
        assert meta["labels"]["gateway.networking.k8s.io/gateway-name"] == "front"
        assert meta["annotations"] == {"note": "x"}
        assert meta["ownerReferences"][0]["uid"] == "u"
    assert [port["port"] for port in service["spec"]["ports"]] == [15021, 80]
    assert service["spec"]["loadBalancerIP"] == "127.66.240.9"
    template = deployment["spec"]["template"]
    labels = template["metadata"]["labels"]
    assert deployment["spec"]["selector"]["matchLabels"].items() <= labels.items()
    assert labels["sidecar.istio.io/inject"] == "false"
    (container,) = template["spec"]["containers"]
    assert container["args"][:2] == ["proxy", "router"]
    assert 80 in [port["containerPort"] for port in container["ports"]]


async def test_classes_are_created_once_and_gateways_applied_on_change() -> None:
    world = World()
    client, values = Client(world), [Values()]
    found = gateways.ManagedGateways(client, world, lambda: values[0])  # type: ignore[arg-type]
    found._watch = _nothing  # type: ignore[method-assign]
    found.start()
    found.update(model.Snapshot())
    classes = await settled(client, 2)
    assert {one["metadata"]["name"] for one in classes} == {"istio", "istio-remote"}
    assert all(one["spec"]["controllerName"] for one in classes)
    one_gateway = model.Snapshot(converted=Converted(deployed=(WANTED,)))
    found.update(one_gateway)
    await settled(client, 5)
    found.update(one_gateway)
    await settled(client, 5)
    values[0] = Values(tag="other")
    found.update(one_gateway)
    objects = await settled(client, 8)
    assert objects[7]["spec"]["template"]["spec"]["containers"][0]["image"].endswith(":other")
    await found.stop()


async def _nothing() -> None:
    """No informer in this test."""
