"""What containers and the node use, for metrics.k8s.io.

CPU is measured over a window that ends now, so samples are taken in the background (a few reads of /proc every
15 s); memory is read when somebody asks.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import NamedTuple

from meshcourse.embedded.apiserver.streams.backend import Usage
from meshcourse.embedded.kubelet import procfs

_EVERY = 15.0
#: A shorter window says nothing.
_SHORTEST = 5.0
#: How long a reading of memory is good enough.
_FRESH = 5.0


class _Sample(NamedTuple):
    at: float
    cpu: float


class Meter:
    """CPU samples and a memory reading of one process tree (or, with `pid` None, of the machine)."""

    def __init__(self, pid: int | None, cpu: float = 0.0) -> None:
        self._pid = pid
        self._samples: deque[_Sample] = deque([_Sample(time.monotonic(), cpu)], maxlen=3)
        self._memory = 0
        self._read_at = -_FRESH

    def sample(self) -> None:
        self._samples.append(_Sample(time.monotonic(), self._cpu()))

    def usage(self) -> Usage | None:
        """Use since the youngest sample that is old enough; None if there is none."""
        now = _Sample(time.monotonic(), self._cpu())
        base = next((s for s in reversed(self._samples) if now.at - s.at >= _SHORTEST), None)
        if base is None:
            return None
        window = now.at - base.at
        return Usage(max(0.0, (now.cpu - base.cpu) / window), self._memory_now(now.at), window)

    def _cpu(self) -> float:
        if self._pid is None:
            return procfs.node_cpu_seconds()
        return procfs.cpu_seconds(self._pid)

    def _memory_now(self, now: float) -> int:
        if now - self._read_at >= _FRESH:
            self._read_at = now
            self._memory = (
                procfs.node_memory_bytes() if self._pid is None else procfs.memory_bytes(self._pid)
            )
        return self._memory


class Meters:
    """Meters of everything that runs.

    :param running: pids of the first processes of all containers.
    """

    def __init__(self, running: Callable[[], Iterable[int]]) -> None:
        self._running = running
        self._meters: dict[int, Meter] = {}
        self._node = Meter(None, procfs.node_cpu_seconds())
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._keep(), name="resource use")

    async def stop(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    def begin(self, pid: int) -> None:
        """A container started just now: its use counts from nothing."""
        self._meters[pid] = Meter(pid)

    def of(self, pid: int) -> Usage | None:
        meter = self._meters.get(pid)
        return meter.usage() if meter is not None else None

    def node(self) -> Usage:
        """The machine's use; all zero in the first seconds."""
        return self._node.usage() or Usage(0.0, procfs.node_memory_bytes(), 0.0)

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(_EVERY)
            alive = set(self._running())
            for pid in set(self._meters) - alive:
                del self._meters[pid]
            for meter in [*self._meters.values(), self._node]:
                meter.sample()
