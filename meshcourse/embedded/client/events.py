"""Events: what happened to an object, for ``kubectl describe`` and ``kubectl get events``.

Behaviour of client-go's event correlator: the same event again raises ``count`` and moves ``lastTimestamp`` instead of
making a new object; more than ten events that differ only in their message within ten minutes become one
``(combined from similar events)``; an object that makes more than 25 events at once is throttled to one in five
minutes. Recording never blocks and never fails: what the server does not accept is dropped.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, TypeVar

from meshcourse.embedded.client import tasks
from meshcourse.embedded.client.protocol import Client
from meshcourse.embedded.kube import objects, refs
from meshcourse.embedded.kube.objects import Object
from meshcourse.embedded.kube.status import ApiError

log = logging.getLogger(__name__)

EventType = Literal["Normal", "Warning"]

K = TypeVar("K")
V = TypeVar("V")

#: Seconds before events are written: what they tell of is in more of a hurry than the telling.
_PATIENCE = 0.02
_MEMORY = 4096  # events and objects remembered
_SIMILAR = 10  # messages of one kind before they are combined
_SIMILAR_WINDOW = 600.0  # seconds
_BURST = 25  # events of one object before throttling
_REFILL = 300.0  # seconds per further event


@dataclass(slots=True)
class _Known:
    """An event that was written: its name, count and first time stamp."""

    name: str
    count: int
    first: str


@dataclass(slots=True)
class _Similar:
    """Messages seen of events that are alike but for the message."""

    began: float
    messages: set[str] = field(default_factory=set)


@dataclass(slots=True)
class _Bucket:
    """Tokens of one object."""

    tokens: float
    filled: float


class Recorder:
    """Writes events for one component, in order, in the background.

    :param component: ``source.component``, for example ``deployment-controller`` or ``kubelet``.
    :param host: ``source.host``, the node's name where the component runs on a node.
    :param clock: monotonic seconds (for tests).
    """

    def __init__(
        self,
        client: Client,
        component: str,
        host: str = "",
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._source = {"component": component, **({"host": host} if host else {})}
        self._clock = clock
        self._waiting: deque[Object] = deque()
        self._task: asyncio.Task[None] | None = None
        self._known: OrderedDict[tuple[str, ...], _Known] = OrderedDict()
        self._similar: OrderedDict[tuple[str, ...], _Similar] = OrderedDict()
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def event(
        self, about: Object, type_: EventType, reason: str, message: str, *, field_path: str = ""
    ) -> None:
        """Record that something happened to `about` (needs ``apiVersion`` and ``kind``).

        :param reason: one UpperCamelCase word, as the real component uses it.
        :param field_path: ``spec.containers{name}`` for events of a container.
        """
        involved = _reference(about, field_path)
        if not self._allowed(str(involved.get("uid") or involved["name"])):
            return
        self._waiting.append(self._compose(involved, type_, reason, message))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._write_all(), name="events")

    async def flush(self) -> None:
        """Return when everything recorded so far is written."""
        if self._task is not None:
            await self._task

    async def stop(self) -> None:
        """Drop what is not written yet."""
        self._waiting.clear()
        if self._task is not None:
            await tasks.end(self._task)

    def _compose(self, involved: Object, type_: str, reason: str, message: str) -> Object:
        message = self._combine(involved, type_, reason, message)
        stamp = objects.now()
        namespace = involved.get("namespace") or "default"
        return {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {
                "name": f"{involved['name']}.{time.time_ns():x}",
                "namespace": namespace,
            },
            "involvedObject": involved,
            "reason": reason,
            "message": message[:1024],
            "source": self._source,
            "firstTimestamp": stamp,
            "lastTimestamp": stamp,
            "count": 1,
            "type": type_,
            "eventTime": None,
            "reportingComponent": self._source["component"],
            "reportingInstance": self._source.get("host", ""),
        }

    def _combine(self, involved: Object, type_: str, reason: str, message: str) -> str:
        key = (*_identity(involved), type_, reason)
        similar = self._similar.get(key)
        if similar is None or self._clock() - similar.began > _SIMILAR_WINDOW:
            similar = _remember(self._similar, key, _Similar(self._clock()))
        similar.messages.add(message)
        if len(similar.messages) <= _SIMILAR:
            return message
        return f"(combined from similar events): {message}"

    def _allowed(self, who: str) -> bool:
        moment = self._clock()
        bucket = self._buckets.get(who)
        if bucket is None:
            bucket = _remember(self._buckets, who, _Bucket(_BURST, moment))
        bucket.tokens = min(_BURST, bucket.tokens + (moment - bucket.filled) / _REFILL)
        bucket.filled = moment
        if bucket.tokens < 1:
            return False
        bucket.tokens -= 1
        return True

    async def _write_all(self) -> None:
        await asyncio.sleep(_PATIENCE)
        while self._waiting:
            event = self._waiting.popleft()
            try:
                await self._write(event)
            except ApiError as error:
                # A namespace that is going away takes no new events: nothing to report.
                log.debug("event dropped: %s", error.message)
            except Exception as error:
                log.warning("event dropped: %s", error)

    async def _write(self, event: Object) -> None:
        message = event["message"]
        if message.startswith("(combined from similar events)"):
            message = ""  # all combined ones are the same event with a changing message
        key = (*_identity(event["involvedObject"]), event["type"], event["reason"], message)
        known = self._known.get(key)
        if known is not None and await self._again(known, event):
            return
        await self._client.create(refs.EVENTS, event, event["metadata"]["namespace"])
        first = event["firstTimestamp"]
        _remember(self._known, key, _Known(event["metadata"]["name"], 1, first))

    async def _again(self, known: _Known, event: Object) -> bool:
        """Raise the count of an event written before; False if it is gone."""
        patch = {
            "count": known.count + 1,
            "lastTimestamp": event["lastTimestamp"],
            "message": event["message"],
        }
        try:
            await self._client.patch(refs.EVENTS, known.name, patch, event["metadata"]["namespace"])
        except ApiError as error:
            if error.code == 404:
                return False
            raise
        known.count += 1
        return True


def _remember(memory: OrderedDict[K, V], key: K, value: V) -> V:
    memory[key] = value
    memory.move_to_end(key)
    if len(memory) > _MEMORY:
        memory.popitem(last=False)
    return value


def _reference(obj: Object, field_path: str) -> Object:
    meta = obj.get("metadata") or {}
    found: Object = {"kind": obj.get("kind", ""), "namespace": meta.get("namespace", "")}
    found |= {"name": meta.get("name", ""), "uid": meta.get("uid", "")}
    found |= {"apiVersion": obj.get("apiVersion", ""), "fieldPath": field_path}
    found["resourceVersion"] = meta.get("resourceVersion", "")
    return {k: v for k, v in found.items() if v}


def _identity(involved: Object) -> tuple[str, ...]:
    return tuple(
        str(involved.get(k, ""))
        for k in ("kind", "namespace", "name", "uid", "apiVersion", "fieldPath")
    )
