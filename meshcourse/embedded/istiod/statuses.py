"""Reports on Gateway API and Ingress objects, written into their ``status`` when they change.

Source: pilot's status controller and the Gateway API's rule that a controller touches its own entries
only (`gateway_api.merge` sees to that). Written with the subresource and the object's resourceVersion:
lists like ``parents`` belong to several controllers and have no merge keys.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from meshcourse.embedded.client.protocol import Client
from meshcourse.embedded.client.queue import WorkQueue
from meshcourse.embedded.istio import gateway_api, model
from meshcourse.embedded.istio.gateway_api.classes import CONTROLLER
from meshcourse.embedded.istio.model.converted import Converted, Source
from meshcourse.embedded.istiod.world import World
from meshcourse.embedded.kube import objects, refs
from meshcourse.embedded.kube.objects import Object
from meshcourse.embedded.kube.refs import Resource
from meshcourse.embedded.kube.status import ApiError

_ROUTES: Final = (refs.HTTPROUTES, refs.GRPCROUTES, refs.TLSROUTES, refs.TCPROUTES)
_KINDS: Final = frozenset((refs.K8S_GATEWAYCLASSES, refs.K8S_GATEWAYS, *_ROUTES, refs.INGRESSES))


class Statuses:
    """Keeps statuses as the last conversion has them. `update` is an observer of snapshots."""

    def __init__(self, client: Client, world: World) -> None:
        self._client = client
        self._world = world
        self._wanted: Mapping[Source, Any] = {}
        self._converted: Converted | None = None
        self._queue: WorkQueue[Source] = WorkQueue(self._sync, name="status", workers=4)

    def start(self) -> None:
        """Begin, and repair what others do to our statuses."""
        self._queue.start()
        self._world.listeners.append(self._on_event)

    async def stop(self) -> None:
        await self._queue.stop()

    def update(self, snapshot: model.Snapshot) -> None:
        """Bring the objects up to date whose report is another than before."""
        if snapshot.converted is self._converted:
            return
        before, self._wanted = self._wanted, snapshot.converted.statuses
        self._converted = snapshot.converted
        for source in {**before, **self._wanted}:
            if before.get(source) != self._wanted.get(source):
                self._queue.add(source)

    def _on_event(self, resource: Resource, type_: str, obj: Object, old: Object | None) -> None:
        if resource in _KINDS and type_ != "DELETED":
            self._queue.add(Source(resource, objects.key(obj)))

    async def _sync(self, source: Source) -> None:
        found = self._world.get(source.resource, *source.key)
        if found is None or objects.deleting(found) or not self._current(source, found):
            return
        if self._converted is None:  # nothing is known of anything yet
            return
        wanted = self._wanted.get(source) or _none(source.resource, found)
        if wanted is None:
            return
        status = gateway_api.merge(found.get("status"), wanted, objects.now())
        if status == (found.get("status") or {}):
            return
        try:
            changed = {**found, "status": status}
            await self._client.update(source.resource, changed, subresource="status")
        except ApiError as error:
            if error.code not in (404, 409):  # gone, or changed: we shall hear of it
                raise

    def _current(self, source: Source, found: Object) -> bool:
        """Whether the report is about this generation; if not, the next conversion is on its way."""
        generation = objects.meta(found).get("generation")
        seen = {one.get("observedGeneration") for one in _conditions(self._wanted.get(source))}
        return not seen or generation in seen


def _conditions(status: Any) -> list[Mapping[str, Any]]:
    """All conditions of a status, those of listeners and parents among them."""
    if not isinstance(status, Mapping):
        return []
    parts = [status, *(status.get("listeners") or ()), *(status.get("parents") or ())]
    return [one for part in parts for one in part.get("conditions") or ()]


def _none(resource: Resource, found: Object) -> model.Json | None:
    """What to write where there is nothing to report: a route that left us loses our entries."""
    parents = objects.dig(found, "status.parents", []) or []
    ours = any(one.get("controllerName") == CONTROLLER for one in parents)
    return {"parents": []} if resource in _ROUTES and ours else None
