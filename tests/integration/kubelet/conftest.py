"""A node with a real API server, controllers and kubelet in this process, and real containers below it."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import os
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from meshcourse.embedded.apiserver.server import Server
from meshcourse.embedded.controllers.manager import Manager
from meshcourse.embedded.kube import objects, refs
from meshcourse.embedded.kube.objects import Object
from meshcourse.embedded.kube.refs import Resource
from meshcourse.embedded.kube.status import ApiError
from meshcourse.embedded.kubelet.catalogue import Catalogue
from meshcourse.embedded.kubelet.kubelet import Kubelet, make_forker

WORKLOADS = "tests.unit.kubelet.workloads"
IMAGES = {
    name: f"{WORKLOADS}:{name}"
    for name in ("web", "fail", "hello", "stubborn", "last_words", "wait")
}
#: One for each process of tests, and none that a cluster on this machine may have.
NUMBER = 130 + int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))


class Node:
    """Start it, use `client` and the helpers, stop it; `restart` keeps the state, like a daemon that was killed."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    async def start(self) -> None:
        self._stack = contextlib.AsyncExitStack()
        try:
            await self._start()
        except BaseException:
            await self.stop()
            raise

    async def _start(self) -> None:
        self.forker = make_forker("nodetest", self.directory)
        self._stack.push_async_callback(self.forker.close)
        self.server = Server(self.directory, "nodetest", cluster_number=NUMBER)
        self._stack.push_async_callback(self.server.stop)
        await self.server.start()
        self.client = self.server.local("system:node:test")
        self.manager = Manager(self.server.local("system:controllers"), cluster_number=NUMBER)
        self._stack.push_async_callback(self.manager.stop)
        await self.manager.start()
        address = urlsplit(self.server.url)
        self.catalogue = Catalogue(IMAGES, self.directory / "images.json")
        self.kubelet = Kubelet(
            self.client,
            state_dir=self.directory,
            cluster_name="nodetest",
            cluster_number=NUMBER,
            catalogue=self.catalogue,
            forker=self.forker,
            api_address=(str(address.hostname), address.port or 0),
        )
        self.server.backend = self.kubelet
        self._stack.push_async_callback(self.kubelet.stop)
        await self.kubelet.start()

    async def stop(self) -> None:
        await self._stack.aclose()

    async def run(self, pod: Object) -> Object:
        return await self.client.create(refs.PODS, pod, "default")

    async def pod(self, name: str) -> Object:
        return await self.client.get(refs.PODS, name, "default")

    async def get(self, resource: Resource, name: str) -> Object | None:
        """None if there is no such object."""
        try:
            namespace = "default" if resource.namespaced else None
            return await self.client.get(resource, name, namespace)
        except ApiError as error:
            if error.code != 404:
                raise
            return None

    async def until(
        self,
        name: str,
        condition: Callable[[Object], Any],
        *,
        resource: Resource = refs.PODS,
        limit: float = 15.0,
    ) -> Object:
        """The object as soon as `condition` holds."""
        deadline = time.monotonic() + limit
        found: Object = {}
        while time.monotonic() < deadline:
            known = await self.get(resource, name)
            if known is not None and condition(known):
                return known
            found = known or found
            await asyncio.sleep(0.01)
        raise AssertionError(f"not in time: {found.get('status', found)}")

    async def until_ready(self, name: str) -> Object:
        return await self.until(name, is_ready)

    async def until_gone(self, name: str, limit: float = 15.0) -> None:
        deadline = time.monotonic() + limit
        while time.monotonic() < deadline:
            if await self.get(refs.PODS, name) is None:
                return
            await asyncio.sleep(0.01)
        raise AssertionError("still there")

    async def events(self, name: str) -> list[tuple[str, str]]:
        """Reason and message of the events about an object, oldest first."""
        await self.kubelet._recorder.flush()
        await self.kubelet._scheduler._recorder.flush()
        listed = await self.client.list(refs.EVENTS, "default")
        mine = [e for e in listed.items if e["involvedObject"]["name"] == name]
        mine.sort(key=lambda event: int(event["metadata"]["name"].rpartition(".")[2], 16))
        return [(event["reason"], event["message"]) for event in mine]

    def container(self, pod: str, name: str = "app") -> Any:
        """The running container behind a status."""
        worker = self.kubelet._worker("default", pod)
        assert worker is not None
        found = worker.container(name)
        assert found is not None
        return found


def is_ready(pod: Object) -> bool:
    conditions = objects.dig(pod, "status.conditions", [])
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def container_status(pod: Object, name: str = "app") -> Object:
    status = pod.get("status") or {}
    every = [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]
    return next((each for each in every if each["name"] == name), {})


def waiting_for(reason: str) -> Callable[[Object], bool]:
    def condition(pod: Object) -> bool:
        return bool(objects.dig(container_status(pod), "state.waiting.reason") == reason)

    return condition


def make_pod(name: str, image: str = "wait", **spec: Any) -> Object:
    """`container=` changes the one container, the rest is the pod's spec."""
    container = {"name": "app", "image": image, **copy.deepcopy(spec.pop("container", {}))}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {"containers": [container], "terminationGracePeriodSeconds": 2, **spec},
    }


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    made = Node(tmp_path / "state")
    made.directory.mkdir()
    await made.start()
    yield made
    await made.stop()
