"""CustomResourceDefinitions at work: what they say is served as soon as they are stored.

A deleted definition takes its objects along: each is deleted like anybody would (finalizers are honoured), then the
definition itself goes. Source: apiextensions-apiserver's finalizing controller.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging

from meshcourse.embedded.apiserver.auth import users
from meshcourse.embedded.apiserver.core import Core
from meshcourse.embedded.apiserver.registry import custom
from meshcourse.embedded.apiserver.rest import delete, metadata
from meshcourse.embedded.apiserver.rest.call import Call
from meshcourse.embedded.apiserver.rest.delete import DeleteOptions
from meshcourse.embedded.apiserver.rest.update import change_object
from meshcourse.embedded.apiserver.store.events import Event
from meshcourse.embedded.kube import objects, refs
from meshcourse.embedded.kube.objects import Object
from meshcourse.embedded.kube.status import ApiError

_log = logging.getLogger(__name__)
_USER = users.administrator("system:apiserver")
#: Seconds between attempts while objects refuse to go; the departure of an object is noticed at once.
_PATIENCE = 5.0


class Definitions:
    """Keeps the registry in step with the stored definitions."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._cleanups: dict[str, asyncio.Task[None]] = {}

    def follow(self) -> None:
        """Serve what is stored already, and follow changes. Needs a running event loop."""
        store = self._core.store
        store.listen(refs.CRDS.qualified, self._on_event)
        for crd in store.list(refs.CRDS.qualified):
            self._serve(crd)

    async def close(self) -> None:
        """Stop cleaning up; the next start goes on."""
        for task in self._cleanups.values():
            task.cancel()
        await asyncio.gather(*self._cleanups.values(), return_exceptions=True)

    def _on_event(self, event: Event) -> None:
        if event.type == "DELETED":
            self._core.registry.drop_custom(event.object)
            self._core.store.end_watches(objects.name(event.object))
        else:
            self._serve(event.object)

    def _serve(self, crd: Object) -> None:
        self._core.registry.set_custom(crd)
        name = objects.name(crd)
        if objects.deleting(crd) and name not in self._cleanups:
            self._cleanups[name] = asyncio.create_task(self._clean_up(name))

    async def _clean_up(self, name: str) -> None:
        try:
            await self._delete_objects(name)
            await self._release(name)
        except ApiError as error:
            _log.warning("cleaning up %s: %s", name, error.message)
        finally:
            self._cleanups.pop(name, None)

    async def _delete_objects(self, name: str) -> None:
        """Delete the objects of a definition and wait until they are gone."""
        store = self._core.store
        kind = self._core.registry.stored().get(name)
        while kind and (found := store.list(name)):
            subscription = store.subscribe(name, store.revision)
            try:
                for obj in found:
                    await self._delete_object(Call(_USER, "delete", kind, *objects.key(obj)))
                if store.list(name):
                    await subscription.next(_PATIENCE)
            finally:
                subscription.close()

    async def _delete_object(self, call: Call) -> None:
        with contextlib.suppress(ApiError):  # refused or gone; the next round sees which
            await delete.delete(self._core, call, DeleteOptions())

    async def _release(self, name: str) -> None:
        kind = self._core.registry.of(refs.CRDS)
        if kind is None:
            return
        call = Call(_USER, "update", kind, "", name)

        def change(old: Object) -> Object:
            new = objects.clone(old)
            found = new["metadata"].get("finalizers") or []
            new["metadata"]["finalizers"] = [one for one in found if one != custom.FINALIZER]
            metadata.inherit(call, new, old)
            return new

        await change_object(self._core, call, change)
