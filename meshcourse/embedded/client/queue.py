"""A work queue: every key once, never two workers on one key, growing pauses after failures.

Behaviour of client-go's rate-limiting work queue. There are no idle workers: a task exists only while there is work.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

from meshcourse.embedded.client import tasks
from meshcourse.embedded.kube.status import ApiError

log = logging.getLogger(__name__)

K = TypeVar("K", bound=Hashable)


class WorkQueue(Generic[K]):
    """Calls ``await sync(key)`` for keys that were added.

    A key added while it is being worked on is worked on again afterwards. If `sync` returns a number, the key is added
    again after so many seconds; if it raises, after a pause that doubles with every failure in a row.

    :param name: for log messages.
    :param workers: how many keys at most are worked on at the same time.
    :param base_delay: first pause after a failure, seconds.
    :param max_delay: longest pause after failures, seconds.
    """

    def __init__(
        self,
        sync: Callable[[K], Awaitable[float | None]],
        *,
        name: str = "",
        workers: int = 4,
        base_delay: float = 0.005,
        max_delay: float = 60.0,
    ) -> None:
        self._sync = sync
        self._name = name
        self._workers = workers
        self._base_delay = base_delay
        self._max_delay = max_delay
        self._waiting: deque[K] = deque()
        self._dirty: set[K] = set()
        self._running: dict[K, asyncio.Task[None]] = {}
        self._failures: dict[K, int] = {}
        self._timers: dict[K, asyncio.TimerHandle] = {}
        self._started = False
        self._idle = asyncio.Event()
        self._idle.set()

    def start(self) -> None:
        """Begin to work; keys added before are waiting."""
        self._started = True
        self._dispatch()

    async def stop(self) -> None:
        """Drop what waits, cancel what runs, and return when nothing runs."""
        self._started = False
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        self._waiting.clear()
        self._dirty.clear()
        await tasks.end(*self._running.values())

    def add(self, key: K) -> None:
        """Work on `key` as soon as possible."""
        if key in self._dirty:
            return
        self._dirty.add(key)
        if key not in self._running:
            self._waiting.append(key)
            self._idle.clear()
            self._dispatch()

    def add_after(self, key: K, seconds: float) -> None:
        """Add `key` later; of several delays for one key the one that ends first counts."""
        if seconds <= 0:
            self.add(key)
            return
        loop = asyncio.get_running_loop()
        known = self._timers.get(key)
        if known is not None:
            if known.when() <= loop.time() + seconds:
                return
            known.cancel()
        self._timers[key] = loop.call_later(seconds, self._fire, key)

    async def idle(self) -> None:
        """Return when nothing is waiting or running (timers may be pending)."""
        await self._idle.wait()

    def _fire(self, key: K) -> None:
        self._timers.pop(key, None)
        self.add(key)

    def _dispatch(self) -> None:
        while self._started and self._waiting and len(self._running) < self._workers:
            key = self._waiting.popleft()
            self._dirty.discard(key)
            self._running[key] = asyncio.create_task(self._work(key), name=f"{self._name} {key}")

    async def _work(self, key: K) -> None:
        try:
            await self._attempt(key)
        finally:
            del self._running[key]
            if key in self._dirty and self._started:
                self._waiting.append(key)
            self._dispatch()
            if not self._running and not self._waiting:
                self._idle.set()

    async def _attempt(self, key: K) -> None:
        try:
            again = await self._sync(key)
        except Exception as error:
            self._failed(key, error)
            return
        self._failures.pop(key, None)
        if again is not None:
            self.add_after(key, again)

    def _failed(self, key: K, error: Exception) -> None:
        count = self._failures.get(key, 0)
        self._failures[key] = count + 1
        if isinstance(error, ApiError):
            # A conflict only means that our cache is behind: nothing a reader of the log should see.
            level = logging.DEBUG if error.code == 409 else logging.INFO
            log.log(level, "%s %s: %s", self._name, key, error.message)
        else:
            log.error("%s %s failed", self._name, key, exc_info=error)
        self.add_after(key, min(self._base_delay * 2 ** min(count, 30), self._max_delay))
