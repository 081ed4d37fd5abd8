"""A local copy of all objects of one kind, kept current by list and watch.

Behaviour as in client-go's shared informers: handlers run after the cache has changed; a broken watch is resumed from
the last resourceVersion; after 410 Expired everything is listed anew and what vanished meanwhile is reported as
``DELETED``.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Mapping

from meshcourse.embedded.client import tasks
from meshcourse.embedded.client.backoff import Backoff
from meshcourse.embedded.client.cache import Cache, IndexFunction
from meshcourse.embedded.client.protocol import Client, WatchEvent
from meshcourse.embedded.kube import objects, status
from meshcourse.embedded.kube.objects import Key, Object
from meshcourse.embedded.kube.refs import Resource

log = logging.getLogger(__name__)

#: Called with ``ADDED``, ``MODIFIED`` or ``DELETED``, the object and what the cache held before (None if nothing).
#: Runs on the event loop, must not block, and must not change the objects: they are shared.
Handler = Callable[[str, Object, Object | None], None]

#: Answers to the first list that no waiting will change.
_FINAL = frozenset({400, 401, 403, 404, 405})

#: A watch that lasted so many seconds was not broken: servers end watches now and then.
_HEALTHY = 5.0


class Informer:
    """List, watch and cache.

    :param namespace: None for all namespaces.
    :param label_selector: in the API's syntax, evaluated by the server.
    :param field_selector: likewise.
    """

    def __init__(
        self,
        client: Client,
        resource: Resource,
        namespace: str | None = None,
        label_selector: str = "",
        field_selector: str = "",
    ) -> None:
        self.resource = resource
        self._client = client
        self._namespace = namespace
        self._label_selector = label_selector
        self._field_selector = field_selector
        self._cache = Cache()
        self._handlers: list[Handler] = []
        self._backoff = Backoff(0.05, 5.0)
        self._task: asyncio.Task[None] | None = None
        self._synced = asyncio.Event()
        self._resource_version = ""

    @property
    def items(self) -> Mapping[Key, Object]:
        """Everything in the cache (a live view: copy before awaiting while you iterate)."""
        return self._cache.items

    @property
    def synced(self) -> bool:
        return self._synced.is_set()

    @property
    def resource_version(self) -> int:
        """The newest version seen, as a number: the engine's API server counts, so versions compare."""
        text = self._resource_version
        return int(text) if text.isdigit() else 0

    def get(self, namespace: str, name: str) -> Object | None:
        """The cached object; `namespace` is "" for cluster-scoped kinds."""
        return self._cache.items.get(Key(namespace, name))

    def by_label(self, labels: Mapping[str, str], namespace: str = "") -> list[Object]:
        """Objects of `namespace` that carry all `labels`; not a scan of everything unless `labels` is empty."""
        return self._cache.by_label(labels, namespace)

    def by_namespace(self, namespace: str) -> list[Object]:
        return self._cache.by_namespace(namespace)

    def by_owner(self, uid: str) -> list[Object]:
        """Objects with an owner reference to `uid`, controlling or not."""
        return self._cache.by_index("owner", uid)

    def add_index(self, name: str, function: IndexFunction) -> None:
        """Index objects by the values that `function` yields; adding the same name again changes nothing."""
        self._cache.add_index(name, function)

    def by_index(self, name: str, value: str) -> list[Object]:
        return self._cache.by_index(name, value)

    def add_handler(self, handler: Handler) -> None:
        """Call `handler` for every change from now on, and at once with ``ADDED`` for what is already cached."""
        self._handlers.append(handler)
        for obj in list(self._cache.items.values()):
            _call(handler, "ADDED", obj, None)

    def remove_handler(self, handler: Handler) -> None:
        self._handlers.remove(handler)

    async def start(self) -> None:
        """Return when the cache holds what the first list returned and all handlers have seen it.

        :raises ApiError: if the server refuses the list for good (unauthorized, no such kind). Anything else is
            tried again with growing pauses.
        """
        if self._task is None:
            self._task = asyncio.create_task(
                self._run(), name=f"informer {self.resource.qualified}"
            )
        waiter = asyncio.create_task(self._synced.wait())
        try:
            await asyncio.wait({self._task, waiter}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiter.cancel()
        if not self.synced and self._task.done():
            task, self._task = self._task, None
            await task

    async def stop(self) -> None:
        """End the watch; the cache stays readable."""
        task, self._task = self._task, None
        if task is not None:
            await tasks.end(task)

    async def _run(self) -> None:
        while True:
            try:
                if not self._resource_version:
                    await self._relist()
                await self._watch()
            except status.ApiError as error:
                if not self.synced and error.code in _FINAL:
                    raise
                if error.code in (404, 410):
                    self._resource_version = ""
                if error.code == 404:
                    self._replace({})  # the kind is gone, and with it every object
                log.debug("watch of %s: %s", self.resource.qualified, error.message)
            except Exception as error:
                log.warning("watch of %s broke: %s", self.resource.qualified, error)
            await asyncio.sleep(self._backoff.next())

    async def _relist(self) -> None:
        found = await self._client.list(
            self.resource,
            self._namespace,
            label_selector=self._label_selector,
            field_selector=self._field_selector,
        )
        self._resource_version = found.resource_version
        self._replace({objects.key(obj): obj for obj in found.items})
        self._synced.set()

    def _replace(self, listed: dict[Key, Object]) -> None:
        """Make the cache what was listed and report the difference, deletions first."""
        for key, old in list(self._cache.items.items()):
            if key not in listed or objects.uid(listed[key]) != objects.uid(old):
                self._apply("DELETED", old)
        for key, obj in listed.items():
            known = self._cache.items.get(key)
            if known is None:
                self._apply("ADDED", obj)
            elif _version(known) != _version(obj):
                self._apply("MODIFIED", obj)

    async def _watch(self) -> None:
        events = self._client.watch(
            self.resource,
            self._namespace,
            resource_version=self._resource_version,
            label_selector=self._label_selector,
            field_selector=self._field_selector,
        )
        began = time.monotonic()
        try:
            async for event in events:
                self._observe(event)
        finally:
            await _close(events)
            if time.monotonic() - began > _HEALTHY:
                self._backoff.reset()

    def _observe(self, event: WatchEvent) -> None:
        if event.type == "ERROR":
            raise status.from_status(event.object)
        self._resource_version = _version(event.object) or self._resource_version
        if event.type != "BOOKMARK":
            self._apply(event.type, event.object)

    def _apply(self, type_: str, obj: Object) -> None:
        if type_ == "DELETED":
            old = self._cache.remove(objects.key(obj))
        else:
            old = self._cache.put(obj)
            type_ = "ADDED" if old is None else "MODIFIED"
        for handler in self._handlers:
            _call(handler, type_, obj, old)


def _version(obj: Object) -> str:
    return str(objects.dig(obj, "metadata.resourceVersion", ""))


def _call(handler: Handler, type_: str, obj: Object, old: Object | None) -> None:
    """One bad handler must not end the watch for the others."""
    try:
        handler(type_, obj, old)
    except Exception:
        log.exception("handler failed on %s of %s", type_, objects.key(obj))


async def _close(events: AsyncIterator[WatchEvent]) -> None:
    close = getattr(events, "aclose", None)
    if close is not None:
        await close()
