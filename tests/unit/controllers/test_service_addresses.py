"""Load balancer addresses."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from meshcourse.embedded.controllers.context import Options
from meshcourse.embedded.kube import objects, refs
from meshcourse.embedded.kube.objects import Object
from tests.unit.controllers.world import World, service, until, worlds


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with worlds("real", tmp_path, Options(addresses_per_service=True)) as found:
        yield found


def ingress(world: World, name: str = "web") -> list[Object]:
    found: list[Object] = objects.dig(
        world.get(refs.SERVICES, name), "status.loadBalancer.ingress", []
    )
    return found


async def test_a_load_balancer_gets_an_address_and_says_so(world: World) -> None:
    await world.create(refs.SERVICES, service(type="LoadBalancer"))
    (entry,) = await until(lambda: ingress(world))
    assert entry == {
        "ip": "127.66.240.1",
        "ipMode": "VIP",
        "ports": [{"port": 80, "protocol": "TCP"}],
    }
    await until(lambda: world.messages("EnsuredLoadBalancer") == ["Ensured load balancer"])


async def test_addresses_are_not_shared_and_freed(world: World) -> None:
    for name in ("a", "b", "c"):
        await world.create(refs.SERVICES, service(name, type="LoadBalancer"))
    await until(lambda: all(ingress(world, name) for name in "abc"))
    assert {ingress(world, name)[0]["ip"] for name in "abc"} == {
        f"127.66.240.{host}" for host in (1, 2, 3)
    }
    freed = ingress(world, "b")[0]["ip"]
    only_balanced = dict.fromkeys(("externalTrafficPolicy", "allocateLoadBalancerNodePorts"))
    ports = [{"name": "http", "port": 80, "targetPort": "http", "protocol": "TCP"}]
    spec = {"type": "ClusterIP", "ports": ports, **only_balanced}
    await world.change(refs.SERVICES, "b", {"spec": spec})
    await until(lambda: not ingress(world, "b"))
    await world.create(refs.SERVICES, service("d", type="LoadBalancer"))
    await until(lambda: ingress(world, "d"))
    assert ingress(world, "d")[0]["ip"] == freed


async def test_the_address_asked_for_is_given_and_kept(world: World) -> None:
    asked = {"type": "LoadBalancer", "loadBalancerIP": "127.66.240.77"}
    await world.create(refs.SERVICES, service(**asked))
    await until(lambda: ingress(world))
    ports = [{"name": "http", "port": 81, "targetPort": "http"}]
    await world.change(refs.SERVICES, "web", {"spec": {"ports": ports}})
    await until(lambda: ingress(world)[0]["ports"] == [{"port": 81, "protocol": "TCP"}])
    assert ingress(world)[0]["ip"] == "127.66.240.77"
