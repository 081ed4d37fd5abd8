"""Deleting a namespace: first everything in it, then the finalizer that kept it.

Source: Kubernetes documentation of namespaces and the namespace controller's conditions, whose reasons and messages are
shown by ``kubectl get namespace -o yaml`` while a deletion is stuck.
"""

from __future__ import annotations

from collections import Counter

from meshcourse.embedded.controllers import conditions, refusals
from meshcourse.embedded.controllers.context import FIELD_MANAGER, Context
from meshcourse.embedded.controllers.controller import Controller
from meshcourse.embedded.controllers.served import ServedKinds
from meshcourse.embedded.kube import objects, refs
from meshcourse.embedded.kube.objects import Key, Object
from meshcourse.embedded.kube.refs import Resource
from meshcourse.embedded.kube.status import ApiError

FINALIZER = "kubernetes"

#: Pods leave one by one: look again a moment after one has left, not after each.
_PAUSE = 0.02


class NamespaceDeletionController(Controller):
    name = "namespace-controller"

    def __init__(self, context: Context, served: ServedKinds) -> None:
        super().__init__(context)
        self._served = served
        self._namespaces = context.informer(refs.NAMESPACES)
        self._namespaces.add_handler(self.enqueue)
        self._left: dict[str, set[Resource]] = {}
        served.listen(self._content_gone)

    def _content_gone(
        self, resource: Resource, type_: str, obj: Object, old: Object | None
    ) -> None:
        namespace = objects.namespace(obj)
        if namespace in self._left and (type_ == "DELETED" or _finalizers(obj) != _finalizers(old)):
            self.queue.add_after(Key("", namespace), _PAUSE)

    async def sync(self, key: Key) -> float | None:
        namespace = self._namespaces.get(*key)
        if namespace is None or not objects.deleting(namespace):
            self._left.pop(key.name, None)
            return None
        if FINALIZER not in objects.dig(namespace, "spec.finalizers", []):
            return None
        left = await self._empty(key.name)
        await self._report(key, namespace, left)
        if not left:
            await self._finalize(key, namespace)
        return None

    async def _empty(self, namespace: str) -> list[tuple[Resource, Object]]:
        """Delete what is there and return what remains. Looks at every kind before it says "nothing"."""
        known = self._left.setdefault(namespace, set())
        left = await self._sweep(namespace, known) if known else []
        if not left:
            kinds = {one for one in self._served.resources if one.namespaced}
            left = await self._sweep(namespace, kinds)
        self._left[namespace] = {resource for resource, _ in left}
        return left

    async def _sweep(self, namespace: str, kinds: set[Resource]) -> list[tuple[Resource, Object]]:
        left: list[tuple[Resource, Object]] = []
        for resource in sorted(kinds, key=lambda one: one.qualified):
            found = await self._list(resource, namespace)
            for obj in found:
                if not objects.deleting(obj):
                    await self._delete(resource, obj)
            if found:
                left += [(resource, obj) for obj in await self._list(resource, namespace)]
        return left

    async def _list(self, resource: Resource, namespace: str) -> list[Object]:
        try:
            return (await self.client.list(resource, namespace)).items
        except ApiError as error:
            if error.code in (404, 405):  # the kind went away meanwhile
                return []
            raise

    async def _delete(self, resource: Resource, obj: Object) -> None:
        namespace, name = objects.key(obj)
        try:
            await self.client.delete(resource, name, namespace, uid=objects.uid(obj))
        except ApiError as error:
            if not refusals.is_gone(error) and error.code != 409:
                raise

    async def _report(
        self, key: Key, namespace: Object, left: list[tuple[Resource, Object]]
    ) -> None:
        old = namespace.get("status") or {}
        found = _conditions(old.get("conditions") or [], left)
        status = {**old, "phase": "Terminating", "conditions": found}
        if status == old or (not left and not old.get("conditions")):
            return
        changed = {**namespace, "status": status}
        written = await self.client.update(
            refs.NAMESPACES, changed, subresource="status", field_manager=FIELD_MANAGER
        )
        self.writes.wrote(key, self._namespaces, written)

    async def _finalize(self, key: Key, namespace: Object) -> None:
        rest = [one for one in namespace["spec"]["finalizers"] if one != FINALIZER]
        meta = {k: v for k, v in namespace["metadata"].items() if k != "resourceVersion"}
        changed = {**namespace, "metadata": meta, "spec": {**namespace["spec"], "finalizers": rest}}
        try:
            await self.client.update(
                refs.NAMESPACES, changed, subresource="finalize", field_manager=FIELD_MANAGER
            )
        except ApiError as error:
            if not refusals.is_gone(error):
                raise
        self._left.pop(key.name, None)


def _finalizers(obj: Object | None) -> list[str]:
    return ((obj or {}).get("metadata") or {}).get("finalizers") or []


def _conditions(old: list[Object], left: list[tuple[Resource, Object]]) -> list[Object]:
    remaining = Counter(resource.qualified for resource, _ in left)
    held = Counter(finalizer for _, obj in left for finalizer in _finalizers(obj))
    table = [
        (
            "NamespaceDeletionDiscoveryFailure",
            "False",
            "ResourcesDiscovered",
            "All resources successfully discovered",
        ),
        (
            "NamespaceDeletionGroupVersionParsingFailure",
            "False",
            "ParsedGroupVersions",
            "All legacy kube types successfully parsed",
        ),
        (
            "NamespaceDeletionContentFailure",
            "False",
            "ContentDeleted",
            "All content successfully deleted, may be waiting on finalization",
        ),
        _remaining(remaining),
        _held(held),
    ]
    for row in table:
        old = conditions.put(old, *row)
    return old


def _remaining(counts: Counter[str]) -> tuple[str, str, str, str]:
    type_ = "NamespaceContentRemaining"
    if not counts:
        return type_, "False", "ContentRemoved", "All content successfully removed"
    parts = ", ".join(
        f"{name if '.' in name else name + '.'} has {count} resource instances"
        for name, count in sorted(counts.items())
    )
    return type_, "True", "SomeResourcesRemain", f"Some resources are remaining: {parts}"


def _held(counts: Counter[str]) -> tuple[str, str, str, str]:
    type_ = "NamespaceFinalizersRemaining"
    if not counts:
        message = "All content-preserving finalizers finished"
        return type_, "False", "ContentHasNoFinalizers", message
    parts = ", ".join(
        f"{name} in {count} resource instances" for name, count in sorted(counts.items())
    )
    message = f"Some content in the namespace has finalizers remaining: {parts}"
    return type_, "True", "SomeFinalizersRemain", message
