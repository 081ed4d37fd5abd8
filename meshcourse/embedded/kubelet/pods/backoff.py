"""How long to wait before trying again: container restarts and image pulls.

Source: kubelet's flowcontrol.Backoff with 10 s initial and 300 s maximum; an entry that was left alone for twice the
maximum starts again from the beginning.
"""

from __future__ import annotations

import time
from collections.abc import Callable

INITIAL, MAXIMUM = 10.0, 300.0


class Backoff:
    """The pause before the next attempt: none the first time, then doubling.

    :param clock: monotonic seconds (for tests).
    """

    def __init__(
        self,
        initial: float = INITIAL,
        maximum: float = MAXIMUM,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._initial, self._maximum = initial, maximum
        self._clock = clock
        self._pause = 0.0
        self._updated = clock()

    def peek(self) -> float:
        """The pause that the next call of `next` would give."""
        return self._pause

    def next(self) -> float:
        """The pause to make now; the following one is longer."""
        now = self._clock()
        if now - self._updated > 2 * self._maximum:
            self._pause = 0.0
        pause = self._pause
        self._pause = min(pause * 2 or self._initial, self._maximum)
        self._updated = now
        return pause
