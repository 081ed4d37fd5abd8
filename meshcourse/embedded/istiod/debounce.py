"""Collecting changes that come together into one push."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from meshcourse.embedded.istiod.settings import Debounce


class Debouncer:
    """`trigger` as often as you like; `wait` returns once it has been quiet, or has gone on for too long.

    :param clock: seconds, monotonic (for tests).
    """

    def __init__(self, timing: Debounce, clock: Callable[[], float] | None = None) -> None:
        self._timing = timing
        self._clock = clock or asyncio.get_running_loop().time
        self._event = asyncio.Event()
        self._first = 0.0
        self._last = 0.0

    def trigger(self) -> None:
        """Something changed."""
        now = self._clock()
        if not self._event.is_set():
            self._first = now
            self._event.set()
        self._last = now

    async def wait(self) -> float:
        """The time of the first change of the batch that is due now."""
        await self._event.wait()
        while (pause := self.remaining(self._clock())) > 0:
            await asyncio.sleep(pause)
        self._event.clear()
        return self._first

    def remaining(self, now: float) -> float:
        """Seconds until the current batch is due."""
        return min(self._last + self._timing.after, self._first + self._timing.maximum) - now
