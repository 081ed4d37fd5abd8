"""Lifecycle handlers: postStart and preStop.

Source: kubelet's lifecycle handlers (exec, httpGet, sleep) and the events FailedPostStartHook and FailedPreStopHook.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from meshcourse.embedded.kube.objects import Object
from meshcourse.embedded.kubelet.probes import checks

if TYPE_CHECKING:
    from meshcourse.embedded.kubelet.pods.container import Container

#: A hook without an end must not keep its pod for ever.
_MAX_POST_START = 600.0


def has_post_start(spec: Object) -> bool:
    return bool((spec.get("lifecycle") or {}).get("postStart"))


async def post_start(container: Container) -> bool:
    """Run postStart if there is one; False (and an event) if it failed."""
    handler = (container.spec.get("lifecycle") or {}).get("postStart")
    if not handler:
        return True
    problem = await _run(container, handler, _MAX_POST_START)
    if problem is not None:
        container.tell("Warning", "FailedPostStartHook", f"PostStartHook failed: {problem}")
        return False
    container.state.started = "startupProbe" not in container.spec
    container.state.ready = container.state.started and "readinessProbe" not in container.spec
    container.changed()
    return True


async def pre_stop(container: Container, timeout: float) -> None:
    """Run preStop if there is one, at most `timeout` seconds; failing does not keep the container."""
    handler = (container.spec.get("lifecycle") or {}).get("preStop")
    if not handler:
        return
    problem = await _run(container, handler, timeout)
    if problem is not None:
        container.tell("Warning", "FailedPreStopHook", f"PreStopHook failed: {problem}")


async def _run(container: Container, handler: Object, timeout: float) -> str | None:
    """Why the handler failed; None if it did not."""
    try:
        async with asyncio.timeout(timeout):
            if "sleep" in handler:
                await asyncio.sleep(float(handler["sleep"].get("seconds") or 0))
                return None
            result = await checks.check(container, handler, timeout)
    except TimeoutError:
        return f"timed out after {timeout:g}s"
    return None if result.ok else result.output or "command failed without a word"
