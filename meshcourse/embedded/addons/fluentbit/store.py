"""The newest events, in bounded memory, found by request id. No I/O."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Any, Final

from meshcourse.embedded.addons.fluentbit.forward import Event

#: Names under which access logs carry the request id and the pod.
REQUEST_ID: Final = ("request_id", "x-request-id", "x_request_id")
POD: Final = ("pod", "pod_name", "kubernetes_pod_name")


class Store:
    """A ring of events.

    :param capacity: how many bytes of records (as sent) to keep; the oldest go first.
    """

    def __init__(self, capacity: int = 8 << 20) -> None:
        self._capacity = capacity
        self._events: deque[Event] = deque()
        self._by_id: dict[str, list[Event]] = {}
        self.size = 0
        #: Since the start, kept or not.
        self.records = self.bytes = self.dropped = 0

    def __len__(self) -> int:
        return len(self._events)

    def add(self, events: Iterable[Event]) -> None:
        for event in events:
            self._events.append(event)
            self.size += event.size
            self.records += 1
            self.bytes += event.size
            if wanted := _first(event.record, REQUEST_ID):
                self._by_id.setdefault(wanted, []).append(event)
        while self.size > self._capacity:
            self._forget(self._events.popleft())

    def _forget(self, event: Event) -> None:
        self.size -= event.size
        self.dropped += 1
        wanted = _first(event.record, REQUEST_ID)
        known = self._by_id.get(wanted, [])
        if known and known[0] is event:  # events of one id are in order, too
            del known[0]
        if not known:
            self._by_id.pop(wanted, None)

    def find(self, request_id: str = "", pod: str = "", limit: int = 100) -> list[Event]:
        """The newest `limit` events, oldest first; of one request and of pods whose names start so, if given."""
        among: Iterable[Event] = (
            reversed(self._by_id.get(request_id, [])) if request_id else reversed(self._events)
        )
        found: list[Event] = []
        for event in among:
            if len(found) >= limit:
                break
            if not pod or _first(event.record, POD).startswith(pod):
                found.append(event)
        return found[::-1]


def _first(record: dict[str, Any], names: Iterable[str]) -> str:
    return next((str(record[name]) for name in names if record.get(name)), "")
