"""The work queue: every key once, one worker a key, growing pauses."""

from __future__ import annotations

import asyncio
import time

from meshcourse.embedded.client.queue import WorkQueue
from meshcourse.embedded.kube import refs, status
from tests.unit.controllers.world import until


class Sync:
    """Records starts and ends; blocks while `gate` is closed; fails the first `failures` times."""

    def __init__(self, failures: int = 0) -> None:
        self.started: list[str] = []
        self.ended: list[str] = []
        self.at: list[float] = []
        self.most = 0
        self.failures = failures
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self, key: str) -> float | None:
        self.started.append(key)
        self.at.append(time.monotonic())
        running = len(self.started) - len(self.ended)
        self.most = max(self.most, running)
        await self.gate.wait()
        self.ended.append(key)
        if len(self.started) <= self.failures:
            raise status.conflict(refs.PODS, key)
        return None


async def test_a_key_added_often_is_worked_on_once() -> None:
    sync = Sync()
    queue: WorkQueue[str] = WorkQueue(sync)
    for _ in range(5):
        queue.add("a")
    queue.start()
    await queue.idle()
    assert sync.started == ["a"]
    await queue.stop()


async def test_a_key_added_meanwhile_is_worked_on_again_but_never_twice_at_once() -> None:
    sync = Sync()
    sync.gate.clear()
    queue: WorkQueue[str] = WorkQueue(sync, workers=3)
    queue.start()
    queue.add("a")
    await until(lambda: sync.started == ["a"])
    queue.add("a")
    queue.add("a")
    queue.add("b")
    await until(lambda: sync.started == ["a", "b"])
    sync.gate.set()
    await queue.idle()
    assert sorted(sync.started) == ["a", "a", "b"]
    assert sync.most == 2
    await queue.stop()


async def test_no_more_workers_than_asked_for() -> None:
    sync = Sync()
    sync.gate.clear()
    queue: WorkQueue[str] = WorkQueue(sync, workers=2)
    queue.start()
    for key in "abcde":
        queue.add(key)
    await until(lambda: len(sync.started) == 2)
    sync.gate.set()
    await queue.idle()
    assert sorted(sync.ended) == list("abcde")
    assert sync.most == 2
    await queue.stop()


async def test_pauses_double_with_failures_and_start_over_after_success() -> None:
    sync = Sync(failures=3)
    queue: WorkQueue[str] = WorkQueue(sync, base_delay=0.02)
    queue.start()
    queue.add("a")
    await until(lambda: len(sync.ended) == 4)
    pauses = [b - a for a, b in zip(sync.at, sync.at[1:], strict=False)]
    assert pauses[0] >= 0.02
    assert pauses[1] >= 0.04
    assert pauses[2] >= 0.08
    await queue.idle()
    sync.failures = 5  # one more failure
    queue.add("a")
    await until(lambda: len(sync.ended) == 6)
    assert sync.at[5] - sync.at[4] < 0.06
    await queue.stop()


async def test_of_two_delays_the_one_that_ends_first_counts() -> None:
    sync = Sync()
    queue: WorkQueue[str] = WorkQueue(sync)
    queue.start()
    began = time.monotonic()
    queue.add_after("a", 30)
    queue.add_after("a", 0.02)
    queue.add_after("a", 10)
    await until(lambda: sync.started == ["a"])
    assert 0.02 <= time.monotonic() - began < 5
    await queue.stop()


async def test_sync_may_ask_to_be_called_again() -> None:
    calls: list[str] = []

    async def sync(key: str) -> float | None:
        calls.append(key)
        return 0.01 if len(calls) < 3 else None

    queue: WorkQueue[str] = WorkQueue(sync)
    queue.start()
    queue.add("a")
    await until(lambda: len(calls) == 3)
    await queue.stop()


async def test_stop_leaves_nothing_behind() -> None:
    sync = Sync()
    sync.gate.clear()
    queue: WorkQueue[str] = WorkQueue(sync, workers=1)
    queue.start()
    queue.add("a")
    queue.add("b")
    queue.add_after("c", 0.01)
    await until(lambda: sync.started == ["a"])
    await queue.stop()
    await queue.idle()
    assert (sync.started, sync.ended) == (["a"], [])
