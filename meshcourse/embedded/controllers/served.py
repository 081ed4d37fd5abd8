"""All kinds that are served: the built-in ones and those of CustomResourceDefinitions, each with an informer.

The garbage collector and the deletion of namespaces need them all. In process a cache holds references to the server's
own objects, so that watching everything costs little.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from meshcourse.embedded.client.informer import Informer
from meshcourse.embedded.client.queue import WorkQueue
from meshcourse.embedded.controllers import kinds
from meshcourse.embedded.controllers.context import Context
from meshcourse.embedded.kube import objects, refs
from meshcourse.embedded.kube.objects import Key, Object
from meshcourse.embedded.kube.refs import Resource

log = logging.getLogger(__name__)

#: Called with the kind and what its informer's handlers get.
Listener = Callable[[Resource, str, Object, Object | None], None]

#: Nobody owns or waits for these, and there are many.
_QUIET = frozenset({refs.EVENTS})


class ServedKinds:
    """Follows CustomResourceDefinitions and tells listeners of every change of every object."""

    def __init__(self, context: Context) -> None:
        self._informers = context.informers
        self._builtin = tuple(context.options.resources)
        self._custom: dict[Key, Resource] = {}
        self._listeners: list[Listener] = []
        self._inquirers: list[Callable[[str, str], None]] = []
        self._attached: set[Resource] = set()
        self._dropped: set[tuple[str, str]] = set()
        self._queue: WorkQueue[Key] = WorkQueue(self._follow, name="served kinds", workers=1)
        self._crds = context.informer(refs.CRDS)
        self._crds.add_handler(self._crd_changed)
        for resource in self._builtin:
            self._attach(resource)

    @property
    def resources(self) -> tuple[Resource, ...]:
        return (*self._builtin, *self._custom.values())

    def watched(self) -> list[Informer]:
        """The informers of all kinds that take part in ownership."""
        return [self._informers.informer(one) for one in self.resources if one not in _QUIET]

    def by_kind(self, api_version: str, kind: str) -> Informer | None:
        """The informer of an owner reference's kind, whatever the version it names."""
        group = api_version.rpartition("/")[0]
        found = (r for r in self.resources if (r.group, r.kind) == (group, kind))
        resource = next(found, None)
        return None if resource is None else self._informers.informer(resource)

    def is_dropped(self, api_version: str, kind: str) -> bool:
        """Whether a kind was served earlier and is no longer: none of its objects can be there."""
        return (api_version.rpartition("/")[0], kind) in self._dropped

    def listen(self, listener: Listener) -> None:
        """To be called before the informers start."""
        self._listeners.append(listener)

    def on_known(self, callback: Callable[[str, str], None]) -> None:
        """Call `callback` with group and kind when it can be told whether objects of that kind are there."""
        self._inquirers.append(callback)

    def start(self) -> None:
        self._queue.start()

    async def stop(self) -> None:
        await self._queue.stop()

    async def settle(self) -> None:
        """Return when all definitions known are followed."""
        await self._queue.idle()

    def _attach(self, resource: Resource) -> Informer:
        informer = self._informers.informer(resource)
        if resource not in self._attached and resource not in _QUIET:
            self._attached.add(resource)
            informer.add_handler(lambda type_, obj, old: self._tell(resource, type_, obj, old))
        return informer

    def _tell(self, resource: Resource, type_: str, obj: Object, old: Object | None) -> None:
        for listener in self._listeners:
            listener(resource, type_, obj, old)

    async def _follow(self, key: Key) -> float | None:
        """Start, exchange or end the informer of one definition."""
        crd = self._crds.get(*key)
        wanted = kinds.of_crd(crd) if crd is not None else None
        known = self._custom.get(key)
        if wanted == known:
            return None
        if known is not None:
            self._drop(key, known)
            await self._informers.remove(known)
        if wanted is not None:
            await self._attach(wanted).start()
            self._custom[key] = wanted
            self._dropped.discard((wanted.group, wanted.kind))
            self._answer(wanted.group, wanted.kind)
        return None

    def _crd_changed(self, type_: str, crd: Object, old: Object | None) -> None:
        """A definition goes after all its objects: from then on none can be there."""
        if type_ == "DELETED":
            kind = (crd["spec"]["group"], crd["spec"]["names"]["kind"])
            self._dropped.add(kind)
            self._answer(*kind)
        self._queue.add(objects.key(crd))

    def _answer(self, group: str, kind: str) -> None:
        for callback in self._inquirers:
            callback(group, kind)

    def _drop(self, key: Key, resource: Resource) -> None:
        """No longer served: whatever is still cached is gone."""
        del self._custom[key]
        self._attached.discard(resource)
        for obj in list(self._informers.informer(resource).items.values()):
            self._tell(resource, "DELETED", obj, obj)
