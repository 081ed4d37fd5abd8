"""Watching: events of one kind through a filter, whose passing and no longer passing are events too."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

from meshcourse.embedded.apiserver.core import Core
from meshcourse.embedded.apiserver.registry import conversion
from meshcourse.embedded.apiserver.rest.call import Call
from meshcourse.embedded.apiserver.rest.filters import Filter
from meshcourse.embedded.apiserver.store.events import Event, Subscription
from meshcourse.embedded.kube import objects, status
from meshcourse.embedded.kube.objects import Object

#: Seconds between bookmarks on a quiet watch.
_BOOKMARK_INTERVAL = 60.0
_INITIAL_END = "k8s.io/initial-events-end"


@dataclass(frozen=True, slots=True)
class WatchOptions:
    """`revision` "" or "0": begin with what is there. `seconds`: when the server ends the watch."""

    revision: str = ""
    bookmarks: bool = False
    initial_events: bool = False
    seconds: float = 3600.0


@dataclass(frozen=True, slots=True)
class Change:
    """What a watcher is told: a type and a stored object. `event` shares encodings, None for synthetic ones."""

    type: str
    object: Object
    event: Event | None = None


class Watch:
    """An open watch: iterate over batches of changes, then `close`.

    It ends at its deadline, at shutdown, when the kind is no longer served, and for a reader that is too slow.
    """

    def __init__(self, core: Core, call: Call, chosen: Filter, wanted: WatchOptions) -> None:
        """Nothing is missed from here on.

        :raises ApiError: 410 if `wanted.revision` is too old.
        """
        self._core, self._call, self._chosen, self._wanted = core, call, chosen, wanted
        self._subscription = _subscribe(core, call, wanted)
        self._first = _initial(core, call, chosen, wanted)
        self._deadline = time.monotonic() + wanted.seconds

    def close(self) -> None:
        self._subscription.close()

    async def __aiter__(self) -> AsyncIterator[list[Change]]:
        if self._first:
            yield self._first
            self._first = []
        while (left := self._deadline - time.monotonic()) > 0:
            events = await self._subscription.next(min(left, _BOOKMARK_INTERVAL))
            if events is None:
                return
            changes = self._changes(events)
            if changes:
                yield changes

    def _changes(self, events: list[Event]) -> list[Change]:
        if not events and self._wanted.bookmarks:
            return [_bookmark(self._core, self._call)]
        seen = (_seen(event, self._call, self._chosen) for event in events)
        return [change for change in seen if change]


def _subscribe(core: Core, call: Call, wanted: WatchOptions) -> Subscription:
    try:
        revision = int(wanted.revision or 0)
    except ValueError:
        raise status.bad_request(
            f'Invalid value: "{wanted.revision}": strconv.ParseUint: parsing "{wanted.revision}": '
            "invalid syntax"
        ) from None
    from_now = not revision or wanted.initial_events
    return core.store.subscribe(call.kind.key, core.store.revision if from_now else revision)


def _initial(core: Core, call: Call, chosen: Filter, wanted: WatchOptions) -> list[Change]:
    if wanted.revision not in ("", "0") and not wanted.initial_events:
        return []
    found = core.store.list(call.kind.key, call.namespace)
    changes = [Change("ADDED", obj) for obj in found if chosen.matches(obj)]
    if wanted.initial_events and wanted.bookmarks:
        changes.append(_bookmark(core, call, {_INITIAL_END: "true"}))
    return changes


def _seen(event: Event, call: Call, chosen: Filter) -> Change | None:
    """An event as a watcher with a filter sees it."""
    if call.namespace and objects.namespace(event.object) != call.namespace:
        return None
    now = event.type != "DELETED" and chosen.matches(event.object)
    before = event.old is not None and chosen.matches(event.old)
    if now:
        return Change("MODIFIED" if before else "ADDED", event.object, event)
    if not before:
        return None
    return Change("DELETED", event.object if event.type == "DELETED" else _last(event), event)


def _last(event: Event) -> Object:
    """An object that stopped matching is shown as it was, at the revision of the change."""
    old = event.old or {}
    version = event.object["metadata"]["resourceVersion"]
    return {**old, "metadata": {**old["metadata"], "resourceVersion": version}}


def _bookmark(core: Core, call: Call, annotations: dict[str, str] | None = None) -> Change:
    meta: Object = {"resourceVersion": str(core.store.revision), "creationTimestamp": None}
    if annotations:
        meta["annotations"] = annotations
    resource = call.resource
    return Change(
        "BOOKMARK", {"kind": resource.kind, "apiVersion": resource.api_version, "metadata": meta}
    )


def served(call: Call, change: Change) -> Object:
    """The object of a change in the version of the call."""
    if change.type == "BOOKMARK":
        return change.object
    return conversion.from_storage(call.kind, change.object)
