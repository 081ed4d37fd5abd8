"""Garbage collection: dependents follow their owners, in the background, before them, or not at all.

Source: Kubernetes documentation, "Garbage collection" and "Owners and dependents". The graph of owners is not kept
separately: every informer indexes its objects by the uids of their owners.
"""

from __future__ import annotations

import logging
from typing import Literal, NamedTuple

from meshcourse.embedded.client.informer import Informer
from meshcourse.embedded.client.queue import WorkQueue
from meshcourse.embedded.controllers import refusals
from meshcourse.embedded.controllers.context import FIELD_MANAGER, Context
from meshcourse.embedded.controllers.ownership_check import Owners, classify
from meshcourse.embedded.controllers.served import ServedKinds
from meshcourse.embedded.kube import objects
from meshcourse.embedded.kube.objects import Object
from meshcourse.embedded.kube.refs import Resource
from meshcourse.embedded.kube.status import ApiError

log = logging.getLogger(__name__)

Policy = Literal["Background", "Foreground", "Orphan"]

FOREGROUND = "foregroundDeletion"
ORPHAN = "orphan"


class Item(NamedTuple):
    """One object to look at."""

    resource: Resource
    namespace: str
    name: str
    uid: str


class GarbageCollector:
    """Looks at objects whose owners went away and at owners that wait for their dependents."""

    def __init__(self, context: Context, served: ServedKinds) -> None:
        self._client = context.client
        self._served = served
        self._context = context
        self.queue: WorkQueue[Item] = WorkQueue(self._sync, name="garbage-collector", workers=16)
        self._parked: dict[tuple[str, str], set[Item]] = {}
        served.listen(self._changed)
        served.on_known(self._unpark)

    def start(self) -> None:
        self.queue.start()

    async def stop(self) -> None:
        await self.queue.stop()

    def _changed(self, resource: Resource, type_: str, obj: Object, old: Object | None) -> None:
        if type_ == "DELETED":
            self._owner_gone(obj)
        elif _is_news(obj, old):
            self.queue.add(_item(resource, obj))

    def _owner_gone(self, obj: Object) -> None:
        """Its dependents lost an owner, and its own owners may have waited for it."""
        for informer in self._served.watched():
            for dependent in informer.by_owner(objects.uid(obj)):
                self.queue.add(_item(informer.resource, dependent))
        for ref in _references(obj):
            informer_ = self._served.by_kind(ref["apiVersion"], ref["kind"])
            owner = informer_ and _owner_in(informer_, obj, ref)
            if informer_ and owner and objects.deleting(owner):
                self.queue.add(_item(informer_.resource, owner))

    def _unpark(self, group: str, kind: str) -> None:
        """Now it can be told whether owners of this kind are there."""
        for item in self._parked.pop((group, kind), set()):
            self.queue.add(item)

    async def _sync(self, item: Item) -> float | None:
        informer = self._context.informer(item.resource)
        obj = informer.get(item.namespace, item.name)
        if obj is None or objects.uid(obj) != item.uid:
            return None
        try:
            await self._look_at(item, obj)
        except ApiError as error:
            if not refusals.is_gone(error):
                raise
        return None

    async def _look_at(self, item: Item, obj: Object) -> None:
        finalizers = obj["metadata"].get("finalizers") or []
        if objects.deleting(obj) and ORPHAN in finalizers:
            await self._orphan_dependents(item, obj)
        elif objects.deleting(obj) and FOREGROUND in finalizers:
            await self._delete_dependents(item, obj)
        elif not objects.deleting(obj) and _references(obj):
            await self._check_owners(item, obj)

    # -- the object is a dependent ----------------------------------------------------------

    async def _check_owners(self, item: Item, obj: Object) -> None:
        owners = await classify(self._client, self._served, obj)
        for ref in owners.unknown:
            kind = (ref["apiVersion"].rpartition("/")[0], ref["kind"])
            self._parked.setdefault(kind, set()).add(item)
        if owners.solid:
            if owners.absent or owners.waiting:
                await self._patch(item, obj, {"ownerReferences": owners.solid})
        elif owners.absent or owners.waiting:
            await self._delete(item, obj, owners)

    async def _delete(self, item: Item, obj: Object, owners: Owners) -> None:
        finalizers = obj["metadata"].get("finalizers") or []
        policy: Policy = "Orphan" if ORPHAN in finalizers else "Background"
        if (owners.waiting and self._dependents(obj)) or FOREGROUND in finalizers:
            policy = "Foreground"
        namespace = item.namespace or None
        await self._client.delete(
            item.resource, item.name, namespace, propagation=policy, uid=item.uid
        )

    # -- the object is an owner -------------------------------------------------------------

    async def _delete_dependents(self, item: Item, obj: Object) -> None:
        """Foreground: the owner goes when no dependent is left that blocks it."""
        blocking = [(i, d) for i, d in self._dependents(obj) if _blocks(d, obj)]
        for informer, dependent in self._dependents(obj):
            if not objects.deleting(dependent):
                self.queue.add(_item(informer.resource, dependent))
        if not blocking:
            await self._drop_finalizer(item, obj, FOREGROUND)

    async def _orphan_dependents(self, item: Item, obj: Object) -> None:
        for informer, dependent in self._dependents(obj):
            rest = [ref for ref in _references(dependent) if ref["uid"] != item.uid]
            change = {"ownerReferences": rest or None}
            await self._patch(_item(informer.resource, dependent), dependent, change)
        await self._drop_finalizer(item, obj, ORPHAN)

    def _dependents(self, obj: Object) -> list[tuple[Informer, Object]]:
        uid = objects.uid(obj)
        return [(i, found) for i in self._served.watched() for found in i.by_owner(uid)]

    async def _drop_finalizer(self, item: Item, obj: Object, finalizer: str) -> None:
        rest = [one for one in obj["metadata"]["finalizers"] if one != finalizer]
        await self._patch(item, obj, {"finalizers": rest or None})

    async def _patch(self, item: Item, obj: Object, change: Object) -> None:
        """Change metadata, refusing a namesake and an object that has changed meanwhile."""
        version = obj["metadata"].get("resourceVersion")
        meta = {"uid": item.uid, "resourceVersion": version, **change}
        try:
            await self._client.patch(
                item.resource,
                item.name,
                {"metadata": meta},
                item.namespace or None,
                field_manager=FIELD_MANAGER,
            )
        except ApiError as error:
            if not refusals.is_gone(error):
                raise


def _item(resource: Resource, obj: Object) -> Item:
    return Item(resource, objects.namespace(obj), objects.name(obj), objects.uid(obj))


def _references(obj: Object) -> list[Object]:
    return (obj.get("metadata") or {}).get("ownerReferences") or []


def _is_news(obj: Object, old: Object | None) -> bool:
    """New, differently owned, or now going away: everything else is none of our business."""
    if old is None:
        return bool(_references(obj)) or objects.deleting(obj)
    return _references(obj) != _references(old) or (
        objects.deleting(obj)
        and (
            not objects.deleting(old)
            or obj["metadata"].get("finalizers") != old["metadata"].get("finalizers")
        )
    )


def _blocks(dependent: Object, owner: Object) -> bool:
    refs_to = (ref for ref in _references(dependent) if ref["uid"] == objects.uid(owner))
    return any(ref.get("blockOwnerDeletion") for ref in refs_to)


def _owner_in(informer: Informer, dependent: Object, ref: Object) -> Object | None:
    namespace = objects.namespace(dependent) if informer.resource.namespaced else ""
    found = informer.get(namespace, ref["name"])
    return found if found is not None and objects.uid(found) == ref["uid"] else None
