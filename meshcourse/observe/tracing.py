"""One request and its trace: sent with a user agent of its own, and found again by it.

Spans arrive late and in pieces: every Envoy sends its own in batches, at the latest every five seconds. So a trace
counts as complete when nothing has been added to it for longer than that.
"""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Sequence
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


def of_run(
    cluster: Cluster, result: Result, *, service: str = GATEWAY, seconds: float = QUIET
) -> list[Trace]:
    """The traces of the requests of a run, counted when no more arrive.

    :param service: whose spans they must have: that of the proxy which decides whether to trace.
    """
    jaeger = addons.jaeger(cluster)
    found: list[Trace] = []
    changed = time.monotonic()
    while time.monotonic() - changed < seconds:
        every = jaeger.traces(service, minutes=_minutes(result), limit=result.n + 500)
        end = result.started + result.seconds + 1
        now = [each for each in every if result.started - 0.5 <= each.start <= end]
        if len(now) > len(found):
            changed = time.monotonic()
        found = now
        time.sleep(0.5)
    return found


def _minutes(result: Result) -> float:
    return (time.time() - result.started) / 60 + 0.1


def _of_agent(jaeger: Jaeger, agent: str) -> Trace | None:
    """The trace of the request with a user agent: any of its spans says so."""
    for found in _recent(jaeger):
        if any(span.tags.get("user_agent") == agent for span in found.spans):
            return found
    return None


def _recent(jaeger: Jaeger) -> Sequence[Trace]:
    services = jaeger.services()
    first = [GATEWAY] if GATEWAY in services else services
    return [found for name in first for found in jaeger.traces(name, minutes=2.0, limit=50)]


def _settled(look: Any, what: str, progress: Progress) -> Trace:
    started = changed = time.monotonic()
    found: Trace | None = None
    with progress.stage(f"spans of {what}"):
        while time.monotonic() - changed < (QUIET if found else PATIENCE):
            now: Trace | None = look()
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
