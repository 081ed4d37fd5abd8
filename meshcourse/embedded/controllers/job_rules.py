"""When a Job has succeeded or failed, and how many pods it may run now. Pure.

Source: Kubernetes documentation of Jobs; conditions in the order of Kubernetes 1.31 and later: SuccessCriteriaMet and
FailureTarget when the outcome is decided, Complete and Failed when the last pod has ended.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from meshcourse.embedded.controllers import conditions, pods, times
from meshcourse.embedded.kube import objects
from meshcourse.embedded.kube.objects import Object

#: Pause before a pod is replaced after a failure, doubling with each failure in a row up to the limit; seconds.
_BACKOFF = 10.0
_BACKOFF_LIMIT = 600.0


class Outcome(NamedTuple):
    """How a Job ends. `type` is the condition's type, ``Complete`` or ``Failed``."""

    type: str
    reason: str
    message: str

    @property
    def interim(self) -> str:
        """The condition that announces this one."""
        return "SuccessCriteriaMet" if self.type == "Complete" else "FailureTarget"


@dataclass(frozen=True, slots=True)
class Counts:
    """Pods of a Job. `succeeded` and `failed` include those of earlier times that are gone."""

    active: int = 0
    ready: int = 0
    terminating: int = 0
    succeeded: int = 0
    failed: int = 0


def finished(job: Object) -> Object | None:
    """The condition that says that the Job is over, if it is."""
    found = objects.dig(job, "status.conditions", [])
    over = (c for c in found if c["type"] in ("Complete", "Failed") and c["status"] == "True")
    return next(over, None)


def completions(job: Object) -> int | None:
    value = job["spec"].get("completions")
    return None if value is None else int(value)


def parallelism(job: Object) -> int:
    return int(job["spec"].get("parallelism", 1))


def is_suspended(job: Object) -> bool:
    return bool(job["spec"].get("suspend"))


def outcome(job: Object, counts: Counts, restarts: int, now: float) -> Outcome | None:
    """What has been decided, now or earlier; None while the Job goes on.

    :param restarts: container restarts of all pods, which count for ``restartPolicy: OnFailure``.
    """
    return _decided(job) or _failure(job, counts, restarts, now) or _success(job, counts)


def _decided(job: Object) -> Outcome | None:
    found = objects.dig(job, "status.conditions", [])
    for interim, final in (("FailureTarget", "Failed"), ("SuccessCriteriaMet", "Complete")):
        known = conditions.find(found, interim)
        if known is not None and known["status"] == "True":
            return Outcome(final, known.get("reason", ""), known.get("message", ""))
    return None


def _failure(job: Object, counts: Counts, restarts: int, now: float) -> Outcome | None:
    limit = int(job["spec"].get("backoffLimit", 6))
    on_failure = objects.dig(job, "spec.template.spec.restartPolicy") == "OnFailure"
    restarted_out = on_failure and (restarts >= limit if limit else restarts > 0)
    if counts.failed > limit or restarted_out:
        message = "Job has reached the specified backoff limit"
        return Outcome("Failed", "BackoffLimitExceeded", message)
    deadline = deadline_in(job, now)
    if deadline is not None and deadline <= 0:
        message = "Job was active longer than specified deadline"
        return Outcome("Failed", "DeadlineExceeded", message)
    return None


def deadline_in(job: Object, now: float) -> float | None:
    """Seconds until ``activeDeadlineSeconds`` have passed; None without a deadline or before the start."""
    limit = job["spec"].get("activeDeadlineSeconds")
    began = times.seconds(objects.dig(job, "status.startTime"))
    if limit is None or began is None or is_suspended(job):
        return None
    return began + float(limit) - now


def _success(job: Object, counts: Counts) -> Outcome | None:
    total = completions(job)
    # Without completions it is a work queue: one success says that the work is done.
    queue_done = total is None and counts.succeeded > 0 and counts.active == 0
    if not queue_done and (total is None or counts.succeeded < total):
        return None
    return Outcome("Complete", "CompletionsReached", "Reached expected number of succeeded pods")


def wanted(job: Object, counts: Counts) -> int:
    """How many pods should be active now, were it not for pauses after failures."""
    if is_suspended(job):
        return 0
    total = completions(job)
    if total is None:
        return counts.active if counts.succeeded > 0 else parallelism(job)
    return max(0, min(total - counts.succeeded, parallelism(job)))


def pause(failures: Sequence[float], last_success: float, now: float) -> float:
    """Seconds to wait before a failed pod is replaced.

    :param failures: when pods failed, seconds since the epoch.
    :param last_success: when one last succeeded (0 for never): failures before do not count.
    """
    recent = [moment for moment in failures if moment > last_success]
    if not recent:
        return 0.0
    length: float = min(_BACKOFF * 2 ** min(len(recent) - 1, 30), _BACKOFF_LIMIT)
    return max(0.0, max(recent) + length - now)


def ended_at(pod: Object) -> float:
    """When the last container of a pod ended, seconds since the epoch; else when the pod was made."""
    states = objects.dig(pod, "status.containerStatuses", [])
    ends = [times.seconds(objects.dig(c, "state.terminated.finishedAt")) for c in states]
    known = [end for end in ends if end is not None]
    created = times.seconds(objects.dig(pod, "metadata.creationTimestamp")) or 0.0
    return max(known, default=created)


def restart_count(found: Sequence[Object]) -> int:
    """Restarts of all containers of pods that are pending or running."""
    return sum(
        int(c.get("restartCount", 0))
        for pod in found
        if not pods.is_finished(pod)
        for field in ("initContainerStatuses", "containerStatuses")
        for c in objects.dig(pod, f"status.{field}", [])
    )
