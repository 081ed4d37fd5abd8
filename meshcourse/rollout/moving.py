"""A split measured without hands: change the weights while requests come, and count until enough are known."""

from __future__ import annotations

import time
from typing import Any

from meshcourse.cluster.cluster import Cluster
from meshcourse.cluster.progress import Progress, silent
from meshcourse.observe import send, traffic
from meshcourse.rollout import split, weights
from meshcourse.rollout.split import Split
from meshcourse.rollout.splitter import Splitter
from meshcourse.rollout.weights import RolloutError, Weights

#: Requests before the change, so that connections are open and the old rule is seen.
LEAD = 20
#: Seconds without a new answer before it is called a standstill.
PATIENCE = 30.0
_FOREVER = 3600.0


def move(
    cluster: Cluster,
    wanted: Weights,
    service: str = "reviews",
    target: str = "/productpage",
    *,
    n: int = 600,
    namespace: str = "",
    progress: Progress | None = None,
    **what: Any,
) -> Split:
    """Set the weights under traffic, and send until `n` requests were answered on the new split.

    :param what: as of `observe.send.plan`; by default four requests at a time, as fast as they are answered.
    :raises RolloutError: if the weights make no sense, or nothing answers.
    """
    shown, splitter = progress or silent(), Splitter(cluster, service, namespace)
    weights.checked(wanted, splitter.versions)
    plan = send.plan(cluster, target, seconds=_FOREVER, **{"rate": 0, "concurrency": 4, **what})
    with shown.stage(f"{service}: {weights.words(wanted)}"), traffic.Run(plan) as run:
        _until(lambda: len(run.samples), LEAD)
        shift = splitter.set(wanted)
        found = split.judge(service, shift, plan.url, ())

        def counted() -> int:
            nonlocal found
            found = split.judge(service, shift, plan.url, run.answers())
            shown.note(f"{found.result.n} of {n} answered on the new split, {found.failed} failed")
            return found.result.n

        _until(counted, n)
        run.stop()
        run.result()
    return split.judge(service, shift, plan.url, run.answers())


def _until(count: Any, n: int) -> None:
    """Wait until there are `n`; a standstill is an error.

    :raises RolloutError: after `PATIENCE` seconds in which nothing was added.
    """
    seen, moved = -1, time.monotonic()
    while (now := count()) < n:
        if now > seen:
            seen, moved = now, time.monotonic()
        if time.monotonic() - moved > PATIENCE:
            raise RolloutError(
                f"{now} of {n} requests were answered as expected, and for {PATIENCE:.0f} s no more came",
                remedy="Do the pods of every version run? `%kubectl get pods -L version`.",
            )
        time.sleep(0.1)
