"""Counting the ended pods of a Job exactly once, even if they are deleted. Pure.

Source: Kubernetes documentation of Jobs, "Job tracking with finalizers": a pod keeps the finalizer until its end has
been noted in ``status.uncountedTerminatedPods``; when the finalizer is off, the uid moves into the counter.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from meshcourse.embedded.controllers import conditions, pods
from meshcourse.embedded.kube import objects
from meshcourse.embedded.kube.objects import Object

FINALIZER = "batch.kubernetes.io/job-tracking"


@dataclass(slots=True)
class Ledger:
    """Counters, uids noted but not yet in them, and pods whose finalizer may go."""

    succeeded: int
    failed: int
    noted_succeeded: list[str] = field(default_factory=list)
    noted_failed: list[str] = field(default_factory=list)
    release: list[Object] = field(default_factory=list)

    @property
    def total_succeeded(self) -> int:
        return self.succeeded + len(self.noted_succeeded)

    @property
    def total_failed(self) -> int:
        return self.failed + len(self.noted_failed)

    def settled(self) -> bool:
        """Whether everything that ended is in the counters."""
        return not (self.noted_succeeded or self.noted_failed)

    def uncounted(self) -> Object:
        """``status.uncountedTerminatedPods``."""
        found: Object = {}
        if self.noted_succeeded:
            found["succeeded"] = self.noted_succeeded
        if self.noted_failed:
            found["failed"] = self.noted_failed
        return found


def has_finalizer(pod: Object) -> bool:
    return FINALIZER in (pod["metadata"].get("finalizers") or [])


def is_failed(pod: Object) -> bool:
    """Failed, or being deleted before it could succeed: it will be replaced at once."""
    phase = pods.phase(pod)
    return phase == "Failed" or (objects.deleting(pod) and phase != "Succeeded")


def ledger(job: Object, owned: list[Object]) -> Ledger:
    """The counts after what `owned` shows.

    Pods that are deleted because the Job is suspended or has succeeded are not failures.
    """
    excused = job["spec"].get("suspend") or conditions.is_true(
        objects.dig(job, "status.conditions", []), "SuccessCriteriaMet"
    )
    status = job.get("status") or {}
    book = Ledger(int(status.get("succeeded", 0)), int(status.get("failed", 0)))
    tracked = {objects.uid(pod): pod for pod in owned if has_finalizer(pod)}
    noted = status.get("uncountedTerminatedPods") or {}
    for uid in noted.get("succeeded") or []:
        _carry(book, uid, tracked, succeeded=True)
    for uid in noted.get("failed") or []:
        _carry(book, uid, tracked, succeeded=False)
    known = {*book.noted_succeeded, *book.noted_failed}
    for uid, pod in tracked.items():
        if uid in known:
            continue
        if excused and objects.deleting(pod) and pods.phase(pod) != "Succeeded":
            book.release.append(pod)
        else:
            _note(book, uid, pod)
    return book


def _carry(book: Ledger, uid: str, tracked: dict[str, Object], *, succeeded: bool) -> None:
    """Noted before: into the counter if its finalizer is off, else its finalizer may go now."""
    if uid in tracked:
        (book.noted_succeeded if succeeded else book.noted_failed).append(uid)
        book.release.append(tracked[uid])
    elif succeeded:
        book.succeeded += 1
    else:
        book.failed += 1


def _note(book: Ledger, uid: str, pod: Object) -> None:
    if pods.phase(pod) == "Succeeded":
        book.noted_succeeded.append(uid)
    elif is_failed(pod):
        book.noted_failed.append(uid)
