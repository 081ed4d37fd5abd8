"""When a container is probed and what follows: started, ready, restarted.

Source: kubelet's prober worker. One difference: until a container is ready for the first time its startup and readiness
probes run more often than their period (from 50 ms up), because nothing here needs ten seconds to start; such extra
checks never count as failures.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from meshcourse.embedded.kube.objects import Object
from meshcourse.embedded.kubelet.probes import checks

if TYPE_CHECKING:
    from meshcourse.embedded.kubelet.pods.container import Container

_FIRST_PAUSE = 0.05


class Prober:
    """The probes of one container, started and stopped with its process."""

    def __init__(self, container: Container) -> None:
        self._container = container
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        spec = self._container.spec
        if "startupProbe" in spec:
            self._spawn(self._startup(spec["startupProbe"]))
        else:
            self._start_others()

    async def stop(self, *, keep_readiness: bool = False) -> None:
        """End all probing.

        :param keep_readiness: a terminating container is still probed for readiness, but not for liveness.
        """
        me = asyncio.current_task()
        tasks = {
            t
            for t in self._tasks
            if t is not me and not (keep_readiness and t.get_name() == "readiness")
        }
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _start_others(self) -> None:
        spec = self._container.spec
        if "readinessProbe" in spec:
            self._spawn(self._readiness(spec["readinessProbe"]), "readiness")
        if "livenessProbe" in spec:
            self._spawn(self._liveness(spec["livenessProbe"]))

    def _spawn(self, work: Coroutine[Any, Any, None], name: str = "probe") -> None:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _startup(self, probe: Object) -> None:
        schedule = _Schedule(probe)
        await schedule.begin()
        state = self._container.state
        while True:
            verdict = await self._verdict(probe, "Startup", schedule, eager=True)
            if verdict is True:
                state.started = True
                state.ready = "readinessProbe" not in self._container.spec
                self._container.changed()
                self._start_others()
                return
            if verdict is False:
                await self._restart(probe, "startup")
                return
            await schedule.pause(eager=True)

    async def _readiness(self, probe: Object) -> None:
        schedule = _Schedule(probe)
        await schedule.begin()
        state = self._container.state
        ever = False
        while True:
            verdict = await self._verdict(probe, "Readiness", schedule, eager=not ever)
            if verdict is not None and verdict != state.ready:
                state.ready = verdict
                self._container.changed()
            ever = ever or state.ready
            await schedule.pause(eager=not ever)

    async def _liveness(self, probe: Object) -> None:
        schedule = _Schedule(probe)
        await schedule.begin()
        while True:
            if await self._verdict(probe, "Liveness", schedule, eager=False) is False:
                await self._restart(probe, "liveness")
                return
            await schedule.pause(eager=False)

    async def _verdict(
        self, probe: Object, kind: str, schedule: _Schedule, *, eager: bool
    ) -> bool | None:
        """True or False once the thresholds are reached, None while they are not."""
        timeout = float(probe.get("timeoutSeconds") or 1)
        result = await checks.check(self._container, probe, timeout)
        if not result.ok and eager and not schedule.due():
            return None
        if not result.ok:
            self._container.tell("Warning", "Unhealthy", f"{kind} probe failed: {result.output}")
        return schedule.count(result.ok)

    async def _restart(self, probe: Object, kind: str) -> None:
        container = self._container
        grace = probe.get("terminationGracePeriodSeconds")
        if grace is None:
            grace = container.view.spec.get("terminationGracePeriodSeconds", 30)
        message = f"Container {container.name} failed {kind} probe, will be restarted"
        await container.kill(float(grace), message)


class _Schedule:
    """Periods and thresholds of one probe."""

    def __init__(self, probe: Object, clock: Callable[[], float] = time.monotonic) -> None:
        self._delay = float(probe.get("initialDelaySeconds") or 0)
        self._period = float(probe.get("periodSeconds") or 10)
        self._success = int(probe.get("successThreshold") or 1)
        self._failure = int(probe.get("failureThreshold") or 3)
        self._clock = clock
        self._next_due = 0.0
        self._eager_pause = _FIRST_PAUSE
        self._last: bool | None = None
        self._run = 0

    async def begin(self) -> None:
        await asyncio.sleep(self._delay)
        self._next_due = self._clock() + self._period

    def due(self) -> bool:
        """Whether a check now is one that the period asks for; counts as that one."""
        if self._clock() < self._next_due:
            return False
        self._next_due += self._period
        return True

    async def pause(self, *, eager: bool) -> None:
        """Wait for the next check; eagerly in growing steps up to the period."""
        if not eager:
            await asyncio.sleep(self._period)
            return
        with contextlib.suppress(ValueError):
            await asyncio.sleep(min(self._eager_pause, self._period))
        self._eager_pause *= 1.5

    def count(self, ok: bool) -> bool | None:
        """The verdict if the run of equal results is long enough."""
        self._run = self._run + 1 if ok == self._last else 1
        self._last = ok
        threshold = self._success if ok else self._failure
        return ok if self._run >= threshold else None
