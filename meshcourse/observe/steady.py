"""Traffic without an end, whose rate may be changed while it runs."""

from __future__ import annotations

import dataclasses
import threading
import time

from meshcourse.observe.result import Result, Sample
from meshcourse.observe.traffic import Plan, Run

#: Longer than anybody looks (seconds).
_FOREVER = 24 * 3600.0
#: Counts and quantiles are of the newest so many requests.
KEPT = 5000
RECENT = 2.0


class Steady:
    """Start, change, stop, start again; `result` at any time.

    :param plan: what to send; how long it says is not heeded.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self.rate = plan.rate
        self._lock = threading.Lock()
        self._runs: list[Run] = []
        self._began = 0.0

    @property
    def running(self) -> bool:
        return bool(self._runs) and self._runs[-1].running and not self._runs[-1].stopping

    def start(self) -> None:
        """Send at the present rate; nothing if it does already."""
        with self._lock:
            if self.running:
                return
            self._began = self._began or time.time()
            plan = dataclasses.replace(self._plan, n=None, seconds=_FOREVER, rate=self.rate)
            self._runs.append(Run(plan))

    def stop(self) -> None:
        """Send no more."""
        if self._runs:
            self._runs[-1].stop()

    def change(self, rate: float) -> None:
        """Another rate from now on, in requests per second."""
        self.rate = max(rate, 0.1)
        if self.running:
            self.stop()
            self.start()

    @property
    def now(self) -> float:
        """Answers per second, over the last `RECENT` seconds of the run under way; 0 if none is."""
        if not self.running:
            return 0.0
        run = self._runs[-1]
        window = min(RECENT, run.seconds)
        done = sum(sample.done > run.seconds - window for sample in run.samples[-KEPT:])
        return done / window if window > 0 else 0.0

    def answers(self) -> list[tuple[float, Sample]]:
        """Everything answered so far, as of `traffic.Run.answers`."""
        return [answer for run in self._runs for answer in run.answers()]

    def result(self) -> Result:
        """What was measured so far, of the newest `KEPT` requests."""
        samples: list[Sample] = []
        for run in self._runs:
            samples += run.samples[-KEPT:]
        started = self._runs[0].started if self._runs else 0.0
        seconds = sum(run.seconds for run in self._runs)
        return Result(self._plan.url, tuple(samples[-KEPT:]), seconds, started, not self.running)
