"""Traffic that may be changed while it runs: how much, what, for how long."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Mapping
from urllib.parse import urlsplit

from meshcourse.errors import MeshcourseError
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
        #: How long each start sends; 0 until it is stopped.
        self.seconds = 0.0
        self._ends = 0.0
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
            self._ends = time.monotonic() + (self.seconds or _FOREVER)
            self._runs.append(self._run())

    def _run(self) -> Run:
        left = max(0.1, self._ends - time.monotonic())
        return Run(dataclasses.replace(self._plan, n=None, seconds=left, rate=self.rate))

    def _again(self) -> None:
        """Go on with what has changed, until the same end; there is no moment at which nothing runs."""
        with self._lock:
            if self.running:
                before = self._runs[-1]
                self._runs.append(self._run())
                before.stop()

    def stop(self) -> None:
        """Send no more."""
        if self._runs:
            self._runs[-1].stop()

    def change(self, rate: float) -> None:
        """Another rate from now on, in requests per second."""
        self.rate = max(rate, 0.1)
        self._again()

    @property
    def path(self) -> str:
        """Path and query of what is asked for."""
        parts = urlsplit(self._plan.url)
        return parts.path + (f"?{parts.query}" if parts.query else "")

    @property
    def headers(self) -> Mapping[str, str]:
        return self._plan.headers

    @property
    def user(self) -> str:
        return self._plan.user

    def ask(
        self,
        *,
        path: str | None = None,
        headers: Mapping[str, str] | None = None,
        user: str | None = None,
    ) -> None:
        """Other requests from now on; what is not named stays.

        :raises MeshcourseError: for a path that does not begin with a slash.
        """
        if path is not None and not path.startswith("/"):
            raise MeshcourseError(f"{path!r} is not a path", remedy="It begins with a slash.")
        parts, plan = urlsplit(self._plan.url), self._plan
        self._plan = dataclasses.replace(
            plan,
            url=plan.url if path is None else f"{parts.scheme}://{parts.netloc}{path}",
            headers=plan.headers if headers is None else headers,
            user=plan.user if user is None else user,
        )
        self._again()

    def forget(self) -> None:
        """Count from zero."""
        with self._lock:
            before, running = self._runs, self.running
            self._runs = [self._run()] if running else []
            if running:
                before[-1].stop()

    @property
    def problem(self) -> str:
        """Why the newest run could not send at all ("" if it could)."""
        return self._runs[-1].problem if self._runs else ""

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
