"""What happened to objects, and who is told: events, the ring of past ones, subscriptions."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import Any, Literal

from meshcourse.embedded.kube import status
from meshcourse.embedded.kube.objects import Object

#: A watcher this far behind is cut off; it lists again (the API server does the same to slow watchers).
_BACKLOG = 4096
#: Past events kept for each resource: how far back a watch may resume.
RING = 256


@dataclass(frozen=True, slots=True)
class Event:
    """One change. `old` is the object before it. `cache` shares encodings between watchers."""

    revision: int
    type: Literal["ADDED", "MODIFIED", "DELETED"]
    object: Object
    old: Object | None
    cache: dict[Any, Any] = field(default_factory=dict, compare=False)


class Subscription:
    """The events of one resource from a revision on. Iterate with `next`; always `close`."""

    def __init__(self, topic: Topic, backlog: list[Event]) -> None:
        self._topic = topic
        self._events = deque(backlog)
        self._wakeup = asyncio.Event()
        self._ended = False
        topic.subscriptions.add(self)
        if backlog:
            self._wakeup.set()

    def offer(self, event: Event) -> None:
        if len(self._events) >= _BACKLOG:
            self.end()
            return
        self._events.append(event)
        self._wakeup.set()

    def end(self) -> None:
        """No more events will come; `next` hands out what is queued, then None."""
        self._ended = True
        self._topic.subscriptions.discard(self)
        self._wakeup.set()

    close = end

    async def next(self, timeout: float | None = None) -> list[Event] | None:
        """All queued events, at least one; ``[]`` after `timeout` seconds; None at the end."""
        if not self._events and not self._ended:
            try:
                # Not wait_for, which on Python 3.11 may swallow a cancellation that comes together with an event.
                async with asyncio.timeout(timeout):
                    await self._wakeup.wait()
            except TimeoutError:
                return []
        if not self._events:
            return None if self._ended else []
        batch = list(self._events)
        self._events.clear()
        if not self._ended:
            self._wakeup.clear()
        return batch


class Topic:
    """The events of one resource."""

    def __init__(self, floor: int) -> None:
        self.floor = floor  # revision of the youngest event that is no longer in the ring
        self.ring: deque[Event] = deque()
        self.subscriptions: set[Subscription] = set()

    def publish(self, event: Event) -> None:
        self.ring.append(event)
        if len(self.ring) > RING:
            self.floor = self.ring.popleft().revision
        for subscription in list(self.subscriptions):
            subscription.offer(event)

    def subscribe(self, revision: int, current: int) -> Subscription:
        """Events after `revision`.

        :raises ApiError: 410 Expired if they are no longer, or (a foreign revision) were never, there.
        """
        if revision < self.floor or revision > current:
            raise status.gone(f"too old resource version: {revision} ({max(self.floor, 1)})")
        return Subscription(self, [event for event in self.ring if event.revision > revision])
