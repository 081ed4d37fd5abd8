"""A cluster for tests of controllers: the fake API, the manager, and a node that does what it is told."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from meshcourse.embedded.apiserver.server import Server
from meshcourse.embedded.controllers.context import Options
from meshcourse.embedded.controllers.manager import Manager
from meshcourse.embedded.kube import addresses, objects, refs
from meshcourse.embedded.kube.objects import Object
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
    """The fake API; see `RealWorld` for the embedded one."""

    def __init__(self, options: Options | None = None) -> None:
        self.client: Any = FakeClient()
        self.wrap: Callable[[Any, World], Any] = lambda client, _: client
        self._options = options
        self._addresses = iter(range(1, 250))

    async def __aenter__(self) -> World:
        await self.open()
        self.client = self.wrap(self.client, self)
        self.manager = Manager(self.client, cluster_number=66, options=self._options)
        await self.manager.start()
        return self

    async def open(self) -> None:
        for name in ("default", "kube-system"):
            await self.create(refs.NAMESPACES, {"metadata": {"name": name}}, None)

    async def __aexit__(self, *_: object) -> None:
        await self.manager.stop()

    async def create(
        self, resource: Resource, obj: Object, namespace: str | None = "default"
    ) -> Object:
        named = {"apiVersion": resource.api_version, "kind": resource.kind, **obj}
        return await self.client.create(resource, named, namespace)

    async def change(self, resource: Resource, name: str, patch: Object) -> Object:
        return await self.client.patch(
            resource, name, patch, "default" if resource.namespaced else None
        )

    def all(self, resource: Resource, namespace: str | None = "default") -> list[Object]:
        found = self.client.data.get(resource, {})
        return [o for key, o in found.items() if namespace is None or key.namespace == namespace]

    def get(self, resource: Resource, name: str, namespace: str = "default") -> Object | None:
        named = (o for o in self.all(resource, namespace) if objects.name(o) == name)
        return next(named, None)

    def alive(self) -> list[Object]:
        return [pod for pod in self.all(refs.PODS) if not objects.deleting(pod)]

    def messages(self, reason: str) -> list[str]:
        return [e["message"] for e in self.all(refs.EVENTS) if e["reason"] == reason]

    async def bind(self, pod: Object) -> Object:
        """Schedule a pod."""
        name, namespace = objects.name(pod), objects.namespace(pod)
        patch = {"spec": {"nodeName": "node"}}
        return await self.client.patch(refs.PODS, name, patch, namespace)

    # -- the node ---------------------------------------------------------------------------

    async def run(self, pod: Object, *, ready: bool = True, since: str = "") -> Object:
        """Schedule a pod, give it addresses, and report it as running.

        :param since: the time stamp of its readiness; now if not given.
        """
        name, namespace = objects.name(pod), objects.namespace(pod)
        ip = objects.dig(pod, "status.podIP") or f"127.66.0.{next(self._addresses)}"
        notes = {addresses.ANNOTATION: addresses.PodAddresses(ip, ip).render()}
        if not pod["spec"].get("nodeName"):
            await self.bind(pod)
        patch = {"metadata": {"annotations": notes}}
        pod = await self.client.patch(refs.PODS, name, patch, namespace)
        status = {
            "phase": "Running",
            "podIP": ip,
            "startTime": objects.now(),
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
        deadline = time.monotonic() + 30  # a bound, not a measure: machines are busy
        while not (found := condition()):
            assert time.monotonic() < deadline, f"not within 30 s: {what or condition}"
            await self.run_new()
            await asyncio.sleep(0.001)
        return found


class _Portless(Server):
    """The API server for clients in its own process only."""

    async def _serve(self, handler: Any, listening: socket.socket, tls: Any) -> None:
        listening.close()


class RealWorld(World):
    """The embedded API server without its port."""

    def __init__(self, folder: Path, options: Options | None = None) -> None:
        super().__init__(options)
        self._server = _Portless(folder, "test")

    async def open(self) -> None:
        await self._server.start()
        self.client = self._server.local("system:kube-controller-manager")
        await self.create(refs.NODES, {"metadata": {"name": "node"}}, None)

    async def __aexit__(self, *_: object) -> None:
        await super().__aexit__()
        await self._server.stop()

    def all(self, resource: Resource, namespace: str | None = "default") -> list[Object]:
        return self._server.core.store.list(resource.qualified, namespace or "")

    async def bind(self, pod: Object) -> Object:
        name, namespace = objects.name(pod), objects.namespace(pod)
        binding = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": name}}
        binding["target"] = {"apiVersion": "v1", "kind": "Node", "name": "node"}
        await self.client.create(refs.PODS, binding, namespace, name=name, subresource="binding")
        return await self.client.get(refs.PODS, name, namespace)


@contextlib.asynccontextmanager
async def worlds(
    kind: str,
    folder: Path,
    options: Options | None = None,
    wrap: Callable[[Any, World], Any] | None = None,
) -> AsyncIterator[World]:
    """A running world: ``fake``, or ``real`` for the embedded API server.

    :param wrap: puts another client in front of the world's.
    """
    world = World(options) if kind == "fake" else RealWorld(folder, options)
    world.wrap = wrap or (lambda client, _: client)
    async with world:
        yield world


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
        "spec": {"selector": {"app": "web"}, "ports": ports, **spec},
    }
