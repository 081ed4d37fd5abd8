"""The traffic generator: requests on a constant-rate schedule, in a thread of its own with its own event loop.

The schedule does not wait for the server: request *i* is due at ``i / rate``, and its latency counts from then, so that
a server that stalls cannot hide its stall by slowing the generator down (Tene's "coordinated omission").
"""

from __future__ import annotations

import asyncio
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from meshcourse.errors import MeshcourseError
from meshcourse.observe import classify as classifiers
from meshcourse.observe.result import Result, Sample

if TYPE_CHECKING:
    import aiohttp

#: Told the samples so far; called a few times a second from the generator's thread.
OnProgress = Callable[[Sequence[Sample]], None]
_REPORT = 0.25


@dataclass(frozen=True)
class Plan:
    """What to send.

    :param url: the whole URL.
    :param n: how many requests; with `seconds` instead, as many as fit the rate.
    :param rate: requests per second; 0 sends as fast as `concurrency` allows.
    :param concurrency: requests under way at most.
    :param user: sign in to Bookinfo as this user first (where there is no login page: send ``end-user``).
    :param timeout: seconds until a request counts as failed.
    """

    url: str
    n: int | None = None
    seconds: float | None = None
    rate: float = 100.0
    concurrency: int = 64
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    user: str = ""
    timeout: float = 20.0
    classify: classifiers.Classifier | None = None

    def __post_init__(self) -> None:
        if (self.n is None) == (self.seconds is None):
            raise MeshcourseError(
                "say how many requests (`n=600`) or how long (`seconds=10`), one of the two"
            )
        if (self.n or 1) < 0 or (self.seconds or 1) < 0 or self.rate < 0 or self.concurrency < 1:
            raise MeshcourseError("counts, seconds and rates cannot be negative")
        if urlsplit(self.url).scheme not in {"http", "https"}:
            raise MeshcourseError(
                f"{self.url!r} is not a URL", remedy="It starts with http:// or https://."
            )

    @property
    def total(self) -> int | None:
        """How many requests, None if only the clock ends it."""
        if self.n is not None:
            return self.n
        return max(1, round((self.seconds or 0) * self.rate)) if self.rate else None


class Run:
    """A run under way. Start it, do something else (apply a rule), then ask for its `result`."""

    def __init__(self, plan: Plan, on_progress: OnProgress | None = None) -> None:
        self.plan = plan
        self.samples: list[Sample] = []
        self.started = 0.0
        #: What its requests are found by in logs and traces.
        self.agent = plan.headers.get("User-Agent", f"meshcourse-traffic/{uuid.uuid4().hex[:12]}")
        self._on_progress = on_progress
        self._stop = threading.Event()
        self._ready = threading.Event()
        self._error: BaseException | None = None
        self._seconds = 0.0
        self._began = 0.0
        self._stopped = False
        self._thread = threading.Thread(target=self._main, name="traffic", daemon=True)
        self._thread.start()
        self._ready.wait(timeout=30)

    def stop(self) -> None:
        """Send no more; requests under way are still waited for."""
        self._stopped = self._thread.is_alive()
        self._stop.set()

    @property
    def running(self) -> bool:
        return self._thread.is_alive()

    @property
    def problem(self) -> str:
        """Why nothing could be sent at all ("" if it could)."""
        return str(self._error) if self._error is not None else ""

    @property
    def stopping(self) -> bool:
        """Was it told to stop?"""
        return self._stop.is_set()

    @property
    def seconds(self) -> float:
        """How long it has been sending, or has sent."""
        if self._seconds or not self._began:
            return self._seconds
        return time.perf_counter() - self._began

    def answers(self) -> list[tuple[float, Sample]]:
        """What was answered so far, in the order in which it was sent: when (seconds since the epoch), and what."""
        found = [(self.started + sample.sent, sample) for sample in list(self.samples)]
        return sorted(found, key=lambda answer: answer[0])

    def result(self) -> Result:
        """Wait for the end of the run. An interrupt stops the run and keeps what was measured.

        :raises MeshcourseError: if nothing could be sent at all.
        """
        try:
            self._thread.join()
        except KeyboardInterrupt:
            self.stop()
            self._thread.join()
        if self._error is not None:
            raise self._error
        return Result(
            self.plan.url,
            tuple(sorted(self.samples, key=lambda sample: sample.due)),
            self._seconds,
            self.started,
            self._stopped,
            self.agent,
        )

    def __enter__(self) -> Run:
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()
        self._thread.join()

    def _main(self) -> None:
        try:
            asyncio.run(self._send())
        except BaseException as error:
            self._error = error
        finally:
            self._ready.set()

    async def _send(self) -> None:
        import aiohttp

        plan = self.plan
        async with aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=plan.concurrency),
            cookie_jar=aiohttp.CookieJar(unsafe=True),  # gateways are often bare IP addresses
            timeout=aiohttp.ClientTimeout(total=plan.timeout),
            headers={**plan.headers, "User-Agent": self.agent},
        ) as session:
            extra = await sign_in(session, plan.url, plan.user) if plan.user else {}
            self.started, start = time.time(), time.perf_counter()
            self._began = start
            self._ready.set()
            reporter = asyncio.create_task(self._report())
            try:
                await self._follow_schedule(session, extra, start)
            finally:
                reporter.cancel()
                await asyncio.gather(reporter, return_exceptions=True)
            self._seconds = time.perf_counter() - start
            if self._on_progress is not None:
                self._on_progress(self.samples)

    async def _follow_schedule(
        self, session: aiohttp.ClientSession, extra: Mapping[str, str], start: float
    ) -> None:
        plan, free = self.plan, asyncio.Semaphore(self.plan.concurrency)
        async with asyncio.TaskGroup() as tasks:
            index = 0
            while not self._finished(index, start):
                due = index / plan.rate if plan.rate else time.perf_counter() - start
                if not await self._until(start + due):
                    break
                await free.acquire()
                if not plan.rate:
                    due = time.perf_counter() - start
                task = tasks.create_task(self._one(session, extra, start, due))
                task.add_done_callback(lambda _task: free.release())
                index += 1

    def _finished(self, index: int, start: float) -> bool:
        plan = self.plan
        if self._stop.is_set() or (plan.total is not None and index >= plan.total):
            return True
        return plan.total is None and time.perf_counter() - start >= (plan.seconds or 0)

    async def _until(self, moment: float) -> bool:
        """Sleep until a moment of the schedule; False if the run was stopped meanwhile."""
        while (left := moment - time.perf_counter()) > 0:
            if self._stop.is_set():
                return False
            await asyncio.sleep(min(left, 0.1))
        return True

    async def _one(
        self, session: aiohttp.ClientSession, extra: Mapping[str, str], start: float, due: float
    ) -> None:
        plan, sent = self.plan, time.perf_counter() - start
        status, label, error = 0, "", ""
        try:
            async with session.request(
                plan.method, plan.url, headers=dict(extra), allow_redirects=False
            ) as response:
                body = await response.text(errors="replace")
                status = response.status
                if plan.classify is not None:
                    label = plan.classify(status, response.headers, body)
        except (OSError, TimeoutError, ValueError) as problem:
            error = _reason(problem)
        except Exception as problem:
            if not type(problem).__module__.startswith("aiohttp"):
                raise
            error = _reason(problem)
        self.samples.append(Sample(due, sent, time.perf_counter() - start, status, label, error))

    async def _report(self) -> None:
        while self._on_progress is not None:
            self._on_progress(self.samples)
            await asyncio.sleep(_REPORT)


async def sign_in(session: aiohttp.ClientSession, url: str, user: str) -> dict[str, str]:
    """Sign in at the site's login page, as a browser would; returns headers to send where it has none.

    :raises MeshcourseError: if the login page refuses.
    """
    parts = urlsplit(url)
    login = f"{parts.scheme}://{parts.netloc}/login"
    form = {"username": user, "passwd": ""}
    try:
        async with session.post(
            login, data=form, headers={"Referer": url}, allow_redirects=False
        ) as response:
            status = response.status
    except OSError as error:
        raise MeshcourseError(
            f"cannot sign in at {login}: {_reason(error)}",
            remedy="Is the gateway up? `mesh.wait()`.",
        ) from error
    if status in {404, 405}:
        return {"end-user": user}
    if status >= 400:
        raise MeshcourseError(
            f"signing in as {user} at {login} gave {status}",
            remedy="Is Bookinfo up? `%kubectl get pods`.",
        )
    return {}


def _reason(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    inner = getattr(error, "os_error", None)
    return (
        str(inner.strerror if inner is not None and inner.strerror else error)
        or type(error).__name__
    )
