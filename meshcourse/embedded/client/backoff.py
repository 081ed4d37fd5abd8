"""Growing pauses between attempts. Pure but for the jitter."""

from __future__ import annotations

import random


class Backoff:
    """Exponential pauses from `base` to `limit` seconds, each up to a quarter longer at random.

    The jitter keeps many clients of a restarted server from coming back all at once.
    """

    def __init__(self, base: float, limit: float) -> None:
        self._base = base
        self._limit = limit
        self._failures = 0

    def next(self) -> float:
        """The next pause in seconds."""
        pause: float = min(self._base * 2 ** min(self._failures, 30), self._limit)
        self._failures += 1
        return pause * (1 + random.random() / 4)

    def reset(self) -> None:
        self._failures = 0
