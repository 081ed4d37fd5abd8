"""One request and its trace: sent with a user agent of its own, and found again by it.

Spans arrive late and in pieces: every Envoy sends its own in batches, at the latest every five seconds. So a trace
counts as complete when nothing has been added to it for longer than that.
"""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Callable, Sequence
from typing import Any

from meshcourse.cluster.cluster import Cluster
from meshcourse.cluster.progress import Progress
from meshcourse.errors import MeshcourseError
from meshcourse.observe import addons, send
from meshcourse.observe.jaeger import Jaeger, Trace
from meshcourse.observe.result import Result

GATEWAY = "istio-ingressgateway.istio-system"
#: Seconds to wait for the first span, and without a new one before a trace counts as complete.
PATIENCE, QUIET = 20.0, 6.0
_ID = re.compile(r"[0-9a-f]{16}([0-9a-f]{16})?")


def trace(cluster: Cluster, request: str, progress: Progress, **what: Any) -> Trace:
    """The trace of one request.

    :param request: a trace's id, or what to ask for (``/productpage``, as of `send.plan`), once.
    :raises MeshcourseError: if there is no such trace.
    """
    jaeger = addons.jaeger(cluster)
    if _ID.fullmatch(request):
        return _settled(lambda: jaeger.trace(request), f"trace {request}", progress)
    agent = f"meshcourse-trace-{uuid.uuid4().hex[:12]}"
    headers = {"User-Agent": agent, **what.pop("headers", {})}
    result = send.traffic(cluster, request, n=1, rate=0, headers=headers, **what)
    if result.samples[0].error:
        raise MeshcourseError(f"{result.url} did not answer: {result.samples[0].error}")
    return _settled(lambda: _of_agent(jaeger, agent), f"a trace of {request}", progress)


def newest(
    cluster: Cluster, service: str, *, minutes: float, limit: int, expect: int = 0
) -> list[Trace]:
    """The newest traces with a span of a service.

    :param expect: wait for so many (up to `PATIENCE` seconds), and until no more spans arrive.
    """
    jaeger = addons.jaeger(cluster)

    def look() -> list[Trace]:
        return jaeger.traces(service, minutes=minutes, limit=limit)

    return _quiet(look, enough=expect) if expect else look()


def of_run(cluster: Cluster, result: Result, *, service: str = GATEWAY) -> list[Trace]:
    """The traces of the requests of a run, when no more spans arrive.

    :param service: whose spans they must have: that of the proxy which decides whether to trace.
    """
    jaeger = addons.jaeger(cluster)

    def look() -> list[Trace]:
        every = jaeger.traces(service, minutes=_minutes(result), limit=result.n + 500)
        return [each for each in every if _sent_by(each, result.agent)]

    return _quiet(look)


def _quiet(look: Callable[[], list[Trace]], *, enough: int = 0) -> list[Trace]:
    """Look until the number of spans has not changed for `QUIET` seconds."""
    found = look()
    started = changed = time.monotonic()
    while True:
        waited = time.monotonic() - (changed if len(found) >= enough else started)
        if waited > (QUIET if len(found) >= enough else PATIENCE):
            return found
        time.sleep(0.5)
        now = look()
        if sum(map(len, now)) != sum(map(len, found)):
            found, changed = now, time.monotonic()


def _sent_by(trace: Trace, agent: str) -> bool:
    return any(span.tags.get("user_agent") == agent for span in trace.spans)


def _minutes(result: Result) -> float:
    return (time.time() - result.started) / 60 + 0.1


def _of_agent(jaeger: Jaeger, agent: str) -> Trace | None:
    """The trace of the request with a user agent: any of its spans says so."""
    for found in _recent(jaeger):
        if _sent_by(found, agent):
            return found
    return None


def _recent(jaeger: Jaeger) -> Sequence[Trace]:
    services = jaeger.services()
    first = [GATEWAY] if GATEWAY in services else services
    return [found for name in first for found in jaeger.traces(name, minutes=2.0, limit=50)]


def _settled(look: Callable[[], Trace | None], what: str, progress: Progress) -> Trace:
    started = changed = time.monotonic()
    found: Trace | None = None
    with progress.stage(f"spans of {what}"):
        while time.monotonic() - changed < (QUIET if found else PATIENCE):
            now = look()
            if now is not None and len(now) > (len(found) if found else 0):
                found, changed = now, time.monotonic()
            progress.note(f"{len(found) if found else 0} so far")
            time.sleep(0.25)
        if found is None:
            raise MeshcourseError(
                f"there is no {what.removeprefix('a ')} after {time.monotonic() - started:.0f} s",
                remedy="Is tracing on, and every request sampled? `%kubectl get telemetry -A -o yaml`.",
            )
    return found
