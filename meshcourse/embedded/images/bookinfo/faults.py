"""The built-in misbehaviour of the ratings variants, without a clock or a die of its own.

| variant | behaviour |
|---|---|
| v-faulty | half of the answers are 503 |
| v-delayed | half of the answers come 7 s late |
| v-unavailable | 60 s fine, 60 s 503, and so on |
| v-unhealthy | 15 min fine, 15 min 503 with a failing /health: longer than the kubelet's longest back-off |
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

#: Share of requests that v-faulty and v-delayed spoil.
SHARE = 0.5
#: Seconds by which v-delayed is late.
DELAY = 7.0
#: Seconds of each phase of v-unavailable and v-unhealthy.
PERIODS = {"v-unavailable": 60.0, "v-unhealthy": 900.0}


@dataclass(slots=True)
class Faults:
    """Decides for each request of a variant; `die`, `clock` and `sleep` are replaced in tests."""

    variant: str
    die: Callable[[], float] = random.random
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    started: float = field(default=-1.0)

    def __post_init__(self) -> None:
        if self.started < 0:
            self.started = self.clock()

    def _bad_phase(self) -> bool:
        period = PERIODS.get(self.variant)
        return period is not None and int((self.clock() - self.started) / period) % 2 == 1

    @property
    def healthy(self) -> bool:
        """What /health says; only v-unhealthy ever admits it."""
        return not (self.variant == "v-unhealthy" and self._bad_phase())

    async def unavailable(self) -> bool:
        """Whether to answer this request with 503; waits first where the variant is late."""
        if self.variant == "v-delayed" and self.die() <= SHARE:
            await self.sleep(DELAY)
        if self.variant == "v-faulty":
            return self.die() <= SHARE
        return self._bad_phase()
