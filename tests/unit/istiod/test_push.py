"""From changed objects to targets: only what is new is pushed, and one bad proxy does not stop the others."""

from __future__ import annotations

import json
from typing import Any

import pytest

from meshcourse.embedded.istiod import push
from meshcourse.embedded.istiod.debounce import Debouncer
from meshcourse.embedded.istiod.settings import Debounce
from meshcourse.embedded.istiod.xds import nodes, types
from meshcourse.embedded.istiod.xds.connection import Connection
from meshcourse.embedded.istiod.xds.delivery import Timing
from meshcourse.embedded.kube import refs

Object = dict[str, Any]


def pod(name: str, ip: str) -> Object:
    addresses = {"podIP": ip, "appIP": ip.replace(".0.", ".128."), "ports": {}}
    proxy = {"name": "istio-proxy", "restartPolicy": "Always", "args": ["proxy", "sidecar"]}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": "default",
            "uid": name,
            "resourceVersion": "1",
            "labels": {"app": name},
            "annotations": {"meshcourse.io/addresses": json.dumps(addresses)},
        },
        "spec": {"containers": [{"name": "app"}], "initContainers": [proxy]},
        "status": {"phase": "Running", "podIP": ip},
    }


def service(name: str, version: str = "1") -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": "default", "uid": name, "resourceVersion": version},
        "spec": {"clusterIP": "127.66.200.9", "ports": [{"name": "http", "port": 9080}]},
    }


class World:
    def __init__(self, *found: Object) -> None:
        self.found = list(found)

    def objects(self) -> dict[Any, list[Object]]:
        kinds = {"Pod": refs.PODS, "Service": refs.SERVICES}
        result: dict[Any, list[Object]] = {}
        for obj in self.found:
            result.setdefault(kinds[obj["kind"]], []).append(obj)
        return result


def connection(name: str) -> Connection:
    node = nodes.parse(f"sidecar~127.66.0.1~{name}.default~default.svc.cluster.local", {})
    return Connection(node, "peer", Timing(), lambda *_: None)


@pytest.fixture
async def debouncer() -> Debouncer:
    return Debouncer(Debounce())


async def test_an_unchanged_cluster_is_not_pushed(debouncer: Debouncer) -> None:
    world, web = World(pod("web", "127.66.0.1"), service("web")), connection("web")
    pusher = push.Pusher(world, debouncer, lambda: [web])  # type: ignore[arg-type]
    await pusher.push(0.0)
    first = web.delivery.target
    assert first is not None
    assert "outbound|9080||web.default.svc.cluster.local" in first.of(types.CDS)
    await pusher.push(1.0)
    assert web.delivery.target is first
    world.found.append(service("other"))
    await pusher.push(2.0)
    second = web.delivery.target
    assert second is not None
    assert second.version != first.version
    name = "outbound|9080||web.default.svc.cluster.local"
    assert second.of(types.CDS)[name] is first.of(types.CDS)[name]


async def test_a_proxy_that_is_not_known_yet_waits(debouncer: Debouncer) -> None:
    world, late = World(service("web")), connection("late")
    pusher = push.Pusher(world, debouncer, lambda: [late])  # type: ignore[arg-type]
    pusher.aim(late, 0.0)
    await pusher.push(0.0)
    assert late.delivery.target is None
    world.found.append(pod("late", "127.66.0.2"))
    await pusher.push(1.0)
    assert late.delivery.target is not None


async def test_what_cannot_be_built_for_one_does_not_harm_the_others(
    debouncer: Debouncer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    world = World(pod("good", "127.66.0.1"), pod("bad", "127.66.0.2"), service("web"))
    good, bad = connection("good"), connection("bad")
    pusher = push.Pusher(world, debouncer, lambda: [bad, good])  # type: ignore[arg-type]
    build = pusher._translator.resources

    def resources(snapshot: Any, proxy: Any) -> Any:
        if proxy.workload.name == "bad":
            raise ValueError("a bug")
        return build(snapshot, proxy)

    monkeypatch.setattr(pusher._translator, "resources", resources)
    await pusher.push(0.0)
    assert bad.delivery.target is None
    assert good.delivery.target is not None
    assert "it keeps what it has" in caplog.text
