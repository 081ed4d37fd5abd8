"""A cluster for tests of controllers: the fake API, the manager, and a node that does what it is told."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from meshcourse.embedded.controllers.context import Options
from meshcourse.embedded.controllers.manager import Manager
from meshcourse.embedded.kube import addresses, objects, refs
from meshcourse.embedded.kube.objects import Key, Object
from meshcourse.embedded.kube.refs import Resource
from tests.unit.controllers.fake import FakeClient


async def until(condition: Callable[[], Any], what: str = "", seconds: float = 3.0) -> Any:
    """Wait until `condition` is true and return its value; fail with `what` after the deadline."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds} s: {what or condition}")
        await asyncio.sleep(0.001)
    return found


class World:
    def __init__(self, options: Options | None = None) -> None:
        self.client = FakeClient()
        self.manager = Manager(self.client, cluster_number=66, options=options)
        self._addresses = iter(range(1, 250))

    async def __aenter__(self) -> World:
        for name in ("default", "kube-system"):
            await self.create(refs.NAMESPACES, {"metadata": {"name": name}}, None)
        await self.manager.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.manager.stop()

    async def create(
        self, resource: Resource, obj: Object, namespace: str | None = "default"
    ) -> Object:
        return await self.client.create(resource, obj, namespace)

    async def change(self, resource: Resource, name: str, patch: Object) -> Object:
        return await self.client.patch(
            resource, name, patch, "default" if resource.namespaced else None
        )

    def all(self, resource: Resource, namespace: str | None = "default") -> list[Object]:
        found = self.client.data.get(resource, {})
        return [o for key, o in found.items() if namespace is None or key.namespace == namespace]

    def get(self, resource: Resource, name: str, namespace: str = "default") -> Object | None:
        return self.client.data.get(resource, {}).get(Key(namespace, name))

    def alive(self) -> list[Object]:
        return [pod for pod in self.all(refs.PODS) if not objects.deleting(pod)]

    def messages(self, reason: str) -> list[str]:
        return [e["message"] for e in self.all(refs.EVENTS) if e["reason"] == reason]

    # -- the node ---------------------------------------------------------------------------

    async def run(self, pod: Object, *, ready: bool = True, since: str = "") -> Object:
        """Schedule a pod, give it addresses, and report it as running."""
        name, namespace = objects.name(pod), objects.namespace(pod)
        ip = objects.dig(pod, "status.podIP") or f"127.66.0.{next(self._addresses)}"
        notes = {addresses.ANNOTATION: addresses.PodAddresses(ip, ip).render()}
        patch: Object = {"spec": {"nodeName": "node"}, "metadata": {"annotations": notes}}
        pod = await self.client.patch(refs.PODS, name, patch, namespace)
        status = {
            "phase": "Running",
            "podIP": ip,
            "conditions": [
                {
                    "type": "Ready",
                    "status": str(ready),
                    "lastTransitionTime": since or objects.now(),
                }
            ],
        }
        return await self.client.update(refs.PODS, {**pod, "status": status}, subresource="status")

    async def finish(self, pod: Object, phase: str) -> Object:
        pod = await self.client.get(refs.PODS, objects.name(pod), objects.namespace(pod))
        status = {**pod.get("status", {}), "phase": phase, "conditions": []}
        return await self.client.update(refs.PODS, {**pod, "status": status}, subresource="status")

    async def run_new(self) -> int:
        """Run every pod that is not running yet, and end every one that is terminating."""
        count = 0
        for pod in self.all(refs.PODS, None):
            if objects.deleting(pod):
                await self.client.delete(
                    refs.PODS, objects.name(pod), objects.namespace(pod), grace_seconds=0
                )
            elif objects.dig(pod, "status.phase") == "Pending":
                await self.run(pod)
            else:
                continue
            count += 1
        return count

    async def keep_running(self, condition: Callable[[], Any], what: str = "") -> Any:
        """Let the node do its work until `condition` is true."""
        deadline = time.monotonic() + 5
        while not (found := condition()):
            assert time.monotonic() < deadline, f"not within 5 s: {what or condition}"
            await self.run_new()
            await asyncio.sleep(0.001)
        return found


def template(app: str = "web", image: str = "web:1", **spec: Any) -> Object:
    container = {"name": "main", "image": image, "ports": [{"name": "http", "containerPort": 8080}]}
    return {"metadata": {"labels": {"app": app}}, "spec": {"containers": [container], **spec}}


def deployment(name: str = "web", replicas: int = 1, image: str = "web:1", **spec: Any) -> Object:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": template(name, image),
            "progressDeadlineSeconds": 600,
            "revisionHistoryLimit": 10,
            "strategy": {
                "type": "RollingUpdate",
                "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"},
            },
            **spec,
        },
    }


def service(name: str = "web", **spec: Any) -> Object:
    ports = [{"name": "http", "port": 80, "targetPort": "http", "protocol": "TCP"}]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"selector": {"app": "web"}, "ports": ports, "clusterIP": "127.66.200.1", **spec},
    }
