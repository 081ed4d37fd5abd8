"""Events do not stay for ever: they go an hour after they last happened.

Source: ``--event-ttl`` of the API server, which real clusters apply in etcd.
"""

from __future__ import annotations

from meshcourse.embedded.controllers import refusals, times
from meshcourse.embedded.controllers.context import Context
from meshcourse.embedded.controllers.controller import Controller
from meshcourse.embedded.kube import objects, refs
from meshcourse.embedded.kube.objects import Key, Object
from meshcourse.embedded.kube.status import ApiError


class EventExpiryController(Controller):
    """One timer for each event; none when there are no events."""

    name = "event-expiry"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._events = context.informer(refs.EVENTS)
        self._events.add_handler(self._seen)

    def _seen(self, type_: str, event: Object, old: Object | None) -> None:
        if type_ == "ADDED":
            self.queue.add_after(objects.key(event), self._left(event))

    async def sync(self, key: Key) -> float | None:
        event = self._events.get(*key)
        if event is None:
            return None
        left = self._left(event)
        if left > 0:
            return left
        try:
            await self.client.delete(refs.EVENTS, key.name, key.namespace, uid=objects.uid(event))
        except ApiError as error:
            if not refusals.is_gone(error):
                raise
        return None

    def _left(self, event: Object) -> float:
        last = event.get("lastTimestamp") or event.get("eventTime")
        age = times.since(last or objects.dig(event, "metadata.creationTimestamp")) or 0.0
        return self.context.options.event_ttl - age
