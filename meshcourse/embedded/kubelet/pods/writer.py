"""Publishes a pod's status: the newest one, one write at a time, nothing twice."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable

from meshcourse.embedded.client.protocol import Client
from meshcourse.embedded.kube import objects, refs
from meshcourse.embedded.kube.objects import Object
from meshcourse.embedded.kube.status import ApiError

log = logging.getLogger(__name__)

_RETRY = 1.0
#: Changes come in bursts (created, started, ready); each write saved is a write that every watcher is spared.
_GATHER = 0.01


class StatusWriter:
    """Merge-patches ``pods/status`` whenever `changed` was called since the last write.

    :param compute: the status to write now.
    """

    def __init__(self, client: Client, pod: Object, compute: Callable[[], Object]) -> None:
        self._client = client
        self._name, self._namespace = objects.name(pod), objects.namespace(pod)
        self._uid = objects.uid(pod)
        self._compute = compute
        self._dirty = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._written: Object | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name=f"status {self._namespace}/{self._name}")

    def changed(self) -> None:
        """Ask for a write; many calls before it happens make one."""
        self._dirty.set()
        self._idle.clear()

    async def flush(self) -> None:
        """Return when the newest status is written (or cannot be)."""
        if self._task is not None and not self._task.done():
            await self._idle.wait()

    async def stop(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _run(self) -> None:
        while True:
            await self._dirty.wait()
            await asyncio.sleep(_GATHER)
            self._dirty.clear()
            status = self._compute()
            if status != self._written and not await self._write(status):
                await asyncio.sleep(_RETRY)
                self._dirty.set()
            elif not self._dirty.is_set():
                self._idle.set()

    async def _write(self, status: Object) -> bool:
        """Whether this is settled: written, or pointless because the pod is another one or gone."""
        patch = {"metadata": {"uid": self._uid}, "status": status}
        try:
            await self._client.patch(
                refs.PODS, self._name, patch, self._namespace, kind="merge", subresource="status"
            )
        except ApiError as error:
            if error.code not in (404, 409, 422):
                log.warning("status of %s/%s: %s", self._namespace, self._name, error.message)
                return False
        self._written = status
        return True
