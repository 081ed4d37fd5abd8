"""Everything istiod watches: one informer per kind, those of custom kinds as soon as the server has them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence

from meshcourse.embedded.client.protocol import Client
from meshcourse.embedded.client.shared import SharedInformers
from meshcourse.embedded.istio import ingest
from meshcourse.embedded.istiod import metrics
from meshcourse.embedded.kube import objects, refs
from meshcourse.embedded.kube.objects import Object
from meshcourse.embedded.kube.refs import Resource
from meshcourse.embedded.kube.status import ApiError

log = logging.getLogger("kube")

#: Told of every event of a kind that configuration is made from: kind, type, object, what it was before.
OnEvent = Callable[[Resource, str, Object, Object | None], None]


class World:
    """The cluster as istiod sees it.

    :param changed: called for every change of a kind that configuration is made from.
    """

    def __init__(self, client: Client, changed: Callable[[], None]) -> None:
        self.informers = SharedInformers(client)
        self._changed = changed
        self._waiting = {resource for resource in ingest.KINDS if _custom(resource)}
        self._served = [resource for resource in ingest.KINDS if not _custom(resource)]
        self._tasks: set[asyncio.Task[None]] = set()
        #: Told of all events, status reports among them, from when they are added.
        self.listeners: list[OnEvent] = []

    async def start(self) -> None:
        """Return when everything that the server has now is known."""
        self.informers.informer(refs.CRDS)
        for resource in (*self._served, refs.MUTATING_WEBHOOKS, refs.VALIDATING_WEBHOOKS):
            self._watch(resource)
        await self.informers.start()
        present = list(self.informers.informer(refs.CRDS).items.values())
        for resource in [one for crd in present for one in self._established(crd)]:
            self._watch(resource)
        await self.informers.start()
        self.informers.informer(refs.CRDS).add_handler(self._on_crd)

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await self.informers.stop()

    def objects(self) -> dict[Resource, Sequence[Object]]:
        """Everything known, by kind, for `ingest.snapshot`."""
        return {
            resource: list(self.informers.informer(resource).items.values())
            for resource in self._served
        }

    def get(self, resource: Resource, namespace: str, name: str) -> Object | None:
        return self.informers.informer(resource).get(namespace, name)

    def _watch(self, resource: Resource) -> None:
        informer = self.informers.informer(resource)
        if resource not in ingest.KINDS:
            return
        if resource not in self._served:
            self._served.append(resource)
        informer.add_handler(lambda type_, obj, old: self._on_event(resource, type_, obj, old))

    def serves(self, resource: Resource) -> bool:
        """Whether the server has this kind (as far as we know)."""
        return resource in self._served

    def _on_event(self, resource: Resource, type_: str, obj: Object, old: Object | None) -> None:
        for listener in self.listeners:
            listener(resource, type_, obj, old)
        if old is not None and type_ == "MODIFIED" and not _matters(resource, obj, old):
            return
        metrics.INBOUND.inc(type=resource.plural)
        self._changed()

    def _on_crd(self, type_: str, crd: Object, _old: Object | None) -> None:
        if type_ == "DELETED":
            return
        for resource in self._established(crd):
            task = asyncio.create_task(self._begin(resource), name=f"watch {resource.qualified}")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _begin(self, resource: Resource) -> None:
        self._watch(resource)
        try:
            await self.informers.informer(resource).start()
        except ApiError as error:  # deleted again before we came
            log.warning("cannot watch %s: %s", resource.qualified, error.message)
            self._served.remove(resource)
            self._waiting.add(resource)
            await self.informers.remove(resource)
            return
        self._changed()

    def _established(self, crd: Object) -> list[Resource]:
        """Kinds that a CRD makes available and that nobody watches yet."""
        conditions = objects.dig(crd, "status.conditions", [])
        if not any(c["type"] == "Established" and c["status"] == "True" for c in conditions):
            return []
        spec = crd["spec"]
        served = {version["name"] for version in spec["versions"] if version.get("served")}
        found = [
            one
            for one in self._waiting
            if (one.group, one.plural) == (spec["group"], spec["names"]["plural"])
            and one.version in served
        ]
        self._waiting.difference_update(found)
        return found


def _custom(resource: Resource) -> bool:
    """Whether a kind comes with a CRD (``*.istio.io`` and the Gateway API)."""
    return resource.group.endswith(".istio.io") or resource.group == "gateway.networking.k8s.io"


def _matters(resource: Resource, obj: Object, old: Object) -> bool:
    """Whether a change may change configuration: not status reports, heartbeats and field managers."""
    if resource is refs.PODS:
        return _pod_facts(obj) != _pod_facts(old)
    keys = (obj.keys() | old.keys()) - {"metadata", "status"}
    if any(obj.get(key) != old.get(key) for key in keys):
        return True
    return _metadata(obj) != _metadata(old)


def _metadata(obj: Object) -> tuple[object, ...]:
    meta = obj.get("metadata") or {}
    return meta.get("labels"), meta.get("annotations"), meta.get("uid"), objects.deleting(obj)


def _pod_facts(pod: Object) -> tuple[object, ...]:
    status = pod.get("status") or {}
    spec = pod.get("spec") or {}
    return (*_metadata(pod), status.get("phase"), status.get("podIP"), spec.get("nodeName"))
