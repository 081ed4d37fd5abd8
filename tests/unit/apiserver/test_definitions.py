"""Kinds that come and go with CustomResourceDefinitions."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from meshcourse.embedded.apiserver.local import LocalClient
from meshcourse.embedded.apiserver.registry import conversion
from meshcourse.embedded.apiserver.registry.registry import Registry, priority
from meshcourse.embedded.apiserver.server import Server
from meshcourse.embedded.client.http import HttpClient
from meshcourse.embedded.kube import objects, refs
from meshcourse.embedded.kube.status import ApiError
from tests.unit.apiserver.builders import definition, widget

WIDGETS = refs.Resource("example.com", "v1", "widgets", "Widget")
BETA = refs.Resource("example.com", "v1beta1", "widgets", "Widget")


async def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline, "still not true after 5 seconds"
        await asyncio.sleep(0.01)


async def test_before_and_after_a_definition(client: LocalClient, http: HttpClient) -> None:
    with pytest.raises(ApiError) as caught:
        await http.list(WIDGETS)
    assert caught.value.code == 404
    with pytest.raises(ApiError):
        await client.list(WIDGETS)
    made = await client.create(refs.CRDS, definition())
    conditions = {c["type"]: c["status"] for c in made["status"]["conditions"]}
    assert conditions == {"NamesAccepted": "True", "Established": "True"}
    assert made["status"]["storedVersions"] == ["v1"]
    assert made["status"]["acceptedNames"]["singular"] == "widget"
    assert made["spec"]["names"]["listKind"] == "WidgetList"
    assert (await http.list(WIDGETS)).items == []


async def test_defaults_pruning_and_validation(client: LocalClient) -> None:
    await client.create(refs.CRDS, definition())
    made = await client.create(WIDGETS, widget(size=1, unknown="x"))
    assert made["spec"] == {"size": 1, "color": "red"}
    with pytest.raises(ApiError, match='must be of type integer: "string"') as caught:
        await client.create(WIDGETS, widget("x", size="big"))
    assert caught.value.code == 422
    with pytest.raises(ApiError, match="must be specified for an update"):
        await client.update(WIDGETS, widget(size=2))


async def test_every_version_shows_the_same_object(client: LocalClient, server: Server) -> None:
    await client.create(refs.CRDS, definition())
    made = await client.create(BETA, widget(version="v1beta1", size=1))
    assert made["apiVersion"] == "example.com/v1beta1"
    stored = server.core.store.list("widgets.example.com")[0]
    assert stored["apiVersion"] == "example.com/v1"
    assert (await client.get(WIDGETS, "w", "default"))["apiVersion"] == "example.com/v1"
    changed = {**made, "spec": {"size": 2}}
    await client.update(BETA, changed)
    found = (await client.list(BETA)).items[0]
    assert (found["apiVersion"], found["spec"]["size"]) == ("example.com/v1beta1", 2)


async def test_status_and_scale_of_custom_kinds(client: LocalClient) -> None:
    await client.create(refs.CRDS, definition())
    made = await client.create(WIDGETS, {**widget(replicas=2), "status": {"phase": "x"}})
    assert "status" not in made
    state = {**made, "status": {"replicas": 2}}
    after = await client.update(WIDGETS, state, subresource="status")
    assert after["metadata"]["generation"] == 1
    scale = await client.get(WIDGETS, "w", "default", subresource="scale")
    assert (scale["spec"], scale["status"]) == ({"replicas": 2}, {"replicas": 2})
    await client.patch(WIDGETS, "w", {"spec": {"replicas": 5}}, "default", subresource="scale")
    found = await client.get(WIDGETS, "w", "default")
    assert (found["spec"]["replicas"], found["metadata"]["generation"]) == (5, 2)


async def test_versions_can_be_withdrawn(client: LocalClient) -> None:
    made = await client.create(refs.CRDS, definition())
    await client.create(WIDGETS, widget(size=1))
    changed = objects.clone(made)
    changed["spec"]["versions"][1]["served"] = False
    await client.update(refs.CRDS, changed)
    with pytest.raises(ApiError) as caught:
        await client.list(BETA)
    assert caught.value.code == 404
    assert len((await client.list(WIDGETS)).items) == 1


async def test_a_definition_takes_its_objects_along(client: LocalClient, server: Server) -> None:
    await client.create(refs.CRDS, definition())
    await client.create(WIDGETS, widget("a"))
    held = widget("b")
    held["metadata"]["finalizers"] = ["example.com/hold"]
    await client.create(WIDGETS, held)
    watch = asyncio.create_task(_drain(client))
    going = await client.delete(refs.CRDS, "widgets.example.com")
    assert going["metadata"]["deletionTimestamp"]
    assert going["status"]["conditions"][-1]["type"] == "Terminating"
    store = server.core.store
    await until(lambda: len(store.list("widgets.example.com")) == 1)
    with pytest.raises(ApiError, match="custom resource definition is terminating"):
        await client.create(WIDGETS, widget("c"))
    await client.patch(WIDGETS, "b", {"metadata": {"finalizers": None}}, "default")
    await until(lambda: not store.list("customresourcedefinitions.apiextensions.k8s.io"))
    with pytest.raises(ApiError) as caught:
        await client.list(WIDGETS)
    assert caught.value.code == 404
    await asyncio.wait_for(watch, 5)  # ended, not broken


async def _drain(client: LocalClient) -> None:
    async for _ in client.watch(WIDGETS):
        pass


async def test_definitions_survive_a_restart_even_half_deleted(tmp_path: Path) -> None:
    server = Server(tmp_path, "test", cluster_number=99)
    await server.start()
    client = server.local("x")
    await client.create(refs.CRDS, definition())
    held = widget()
    held["metadata"]["finalizers"] = ["example.com/hold"]
    await client.create(WIDGETS, held)
    await client.delete(refs.CRDS, "widgets.example.com")
    await server.stop()
    again = Server(tmp_path, "test", cluster_number=99)
    await again.start()
    client = again.local("x")
    assert [objects.name(obj) for obj in (await client.list(WIDGETS)).items] == ["w"]
    await client.patch(WIDGETS, "w", {"metadata": {"finalizers": None}}, "default")
    await until(lambda: not again.core.store.list("customresourcedefinitions.apiextensions.k8s.io"))
    await again.stop()


async def test_what_cannot_be_honoured_is_refused(client: LocalClient) -> None:
    wanted = definition()
    config = {"url": "https://127.0.0.1:1/convert"}
    wanted["spec"]["conversion"] = {
        "strategy": "Webhook",
        "webhook": {"clientConfig": config, "conversionReviewVersions": ["v1"]},
    }
    with pytest.raises(ApiError, match="converts between versions by name only"):
        await client.create(refs.CRDS, wanted)


async def test_discovery_follows(http: HttpClient, client: LocalClient) -> None:
    await client.create(refs.CRDS, definition())
    found = await http.request("GET", "/apis/example.com/v1")
    assert [(entry["name"], entry["kind"]) for entry in found["resources"]] == [
        ("widgets", "Widget"),
        ("widgets/scale", "Scale"),
        ("widgets/status", "Widget"),
    ]
    assert found["resources"][0]["shortNames"] == ["wi"]
    group = await http.request("GET", "/apis/example.com")
    assert group["preferredVersion"]["version"] == "v1"
    assert b"Widget" in await http.raw("/openapi/v3/apis/example.com/v1")
    assert "apis/example.com/v1" in (await http.request("GET", "/openapi/v3"))["paths"]


def test_versions_are_preferred_in_kubernetes_order() -> None:
    found = ["foo10", "v1", "v10beta3", "v2", "v3beta1", "v12alpha1", "v11", "v10"]
    expected = ["v11", "v10", "v2", "v1", "v10beta3", "v3beta1", "v12alpha1", "foo10"]
    assert sorted(found, key=priority, reverse=True) == expected


HPA: Any = {
    "apiVersion": "autoscaling/v2",
    "kind": "HorizontalPodAutoscaler",
    "metadata": {"name": "h", "namespace": "d"},
    "spec": {
        "scaleTargetRef": {"kind": "Deployment", "name": "w", "apiVersion": "apps/v1"},
        "maxReplicas": 3,
        "metrics": [
            {
                "type": "Resource",
                "resource": {
                    "name": "cpu",
                    "target": {"type": "Utilization", "averageUtilization": 50},
                },
            },
            {"type": "Pods", "pods": {"metric": {"name": "rps"}}},
        ],
        "behavior": {"scaleDown": {"selectPolicy": "Max"}},
    },
}


def test_autoscalers_of_the_old_version_keep_everything() -> None:
    old = refs.Resource("autoscaling", "v1", "horizontalpodautoscalers", "HorizontalPodAutoscaler")
    kind = Registry().of(old)
    assert kind is not None
    shown = conversion.from_storage(kind, HPA)
    assert shown["apiVersion"] == "autoscaling/v1"
    assert shown["spec"]["targetCPUUtilizationPercentage"] == 50
    assert "metrics" not in shown["spec"]
    assert conversion.to_storage(kind, shown) == HPA


def test_events_have_two_faces() -> None:
    new = refs.Resource("events.k8s.io", "v1", "events", "Event")
    kind = Registry().of(new)
    assert kind is not None
    assert kind.key == "events"
    stored = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": "e"},
        "involvedObject": {"kind": "Pod"},
        "message": "hello",
        "count": 2,
    }
    shown = conversion.from_storage(kind, stored)
    assert shown["regarding"] == {"kind": "Pod"}
    assert (shown["note"], shown["deprecatedCount"]) == ("hello", 2)
    assert conversion.to_storage(kind, shown) == stored
