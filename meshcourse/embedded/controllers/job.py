"""Jobs: run pods until enough of them have succeeded.

Source: Kubernetes documentation of Jobs. Decisions are in `job_rules`, exact counting in `job_tracking`, indexes in
`job_indexes`. Not supported, and ignored: ``podFailurePolicy``, ``successPolicy``, ``backoffLimitPerIndex``.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from meshcourse.embedded.controllers import (
    conditions,
    job_indexes,
    job_rules,
    job_tracking,
    ownership,
    pods,
    refusals,
    scaling,
)
from meshcourse.embedded.controllers.context import FIELD_MANAGER, Context
from meshcourse.embedded.controllers.controller import Controller
from meshcourse.embedded.kube import objects, refs
from meshcourse.embedded.kube.objects import Key, Object
from meshcourse.embedded.kube.status import ApiError


class JobController(Controller):
    name = "job-controller"
    max_delay = scaling.MAX_DELAY

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._jobs = context.informer(refs.JOBS)
        self._pods = context.informer(refs.PODS)
        self._scaler = scaling.PodScaler(self, self._pods)
        self._jobs.add_handler(self.enqueue)
        ownership.watch_owned(self._pods, self._jobs, self.queue.add)

    async def sync(self, key: Key) -> float | None:
        job = self._jobs.get(*key)
        if job is None or objects.deleting(job):
            await self._release_orphans(key, job)
            return None
        owned = await ownership.claim(self.client, job, refs.JOBS, self._pods)
        if job_rules.finished(job):
            await self._release(key, [pod for pod in owned if job_tracking.has_finalizer(pod)])
            return None
        book = job_tracking.ledger(job, owned)
        counts = _counts(owned, book)
        outcome = job_rules.outcome(job, counts, job_rules.restart_count(owned), time.time())
        wait = None
        if outcome is not None or job_rules.is_suspended(job):
            await self._end_pods(key, job, owned)
        else:
            wait = await self._run_pods(key, job, owned, counts)
        await self._report(key, job, owned, book, outcome)
        await self._release(key, book.release)
        return _sooner(wait, job_rules.deadline_in(job, time.time()))

    # -- pods -------------------------------------------------------------------------------

    async def _end_pods(self, key: Key, job: Object, owned: list[Object]) -> None:
        active = [pod for pod in owned if pods.is_active(pod)]
        if failure := await self._scaler.delete(key, job, active):
            raise failure

    async def _run_pods(
        self, key: Key, job: Object, owned: list[Object], counts: job_rules.Counts
    ) -> float | None:
        """Create or delete towards what is wanted. Returns the pause that a failure asks for."""
        active = [pod for pod in owned if pods.is_active(pod)]
        missing = job_rules.wanted(job, counts) - len(active)
        if missing < 0:
            now = time.time()
            order = sorted(active, key=lambda pod: pods.deletion_order(pod, now))
            if failure := await self._scaler.delete(key, job, order[:-missing]):
                raise failure
        if missing <= 0:
            return None
        if pause := _pause(owned):
            return pause
        failure = await self._scaler.create(key, job, _new_pods(job, owned, missing))
        if failure is not None and not refusals.namespace_is_terminating(failure):
            raise failure
        return None

    async def _release(self, key: Key, found: Sequence[Object]) -> None:
        """Take the tracking finalizer off."""
        await asyncio.gather(*(self._release_one(key, pod) for pod in found))

    async def _release_one(self, key: Key, pod: Object) -> None:
        rest = [f for f in pod["metadata"]["finalizers"] if f != job_tracking.FINALIZER]
        patch = {"metadata": {"uid": objects.uid(pod), "finalizers": rest or None}}
        namespace, name = objects.key(pod)
        try:
            written = await self.client.patch(
                refs.PODS, name, patch, namespace, field_manager=FIELD_MANAGER
            )
        except ApiError as error:
            if error.code not in (404, 409):  # gone, or a namesake
                raise
            return
        self.writes.wrote(key, self._pods, written)

    async def _release_orphans(self, key: Key, job: Object | None) -> None:
        """Pods of a Job that is gone must not be held up by a finalizer that nobody takes off."""
        orphans = [
            pod
            for pod in self._pods.by_namespace(key.namespace)
            if job_tracking.has_finalizer(pod)
            and (ref := objects.owner(pod)) is not None
            and (ref["kind"], ref["name"]) == ("Job", key.name)
        ]
        await self._release(key, orphans)

    # -- status -----------------------------------------------------------------------------

    async def _report(
        self,
        key: Key,
        job: Object,
        owned: list[Object],
        book: job_tracking.Ledger,
        outcome: job_rules.Outcome | None,
    ) -> None:
        status = self._status(job, owned, book, outcome)
        if status == job.get("status"):
            return
        changed = {**job, "status": status}
        written = await self.client.update(
            refs.JOBS, changed, subresource="status", field_manager=FIELD_MANAGER
        )
        self.writes.wrote(key, self._jobs, written)
        self._tell(job, written)

    def _status(
        self,
        job: Object,
        owned: list[Object],
        book: job_tracking.Ledger,
        outcome: job_rules.Outcome | None,
    ) -> Object:
        old = job.get("status") or {}
        # What the end or a suspension deletes is on its way out already, even where the cache does not show it yet.
        stopping = outcome is not None or job_rules.is_suspended(job)
        active = [pod for pod in owned if pods.is_active(pod)]
        alive = [] if stopping else active
        ending = [pod for pod in owned if objects.deleting(pod) and not pods.is_finished(pod)]
        ending += active if stopping else []
        found = list(old.get("conditions") or [])
        status: Object = {}
        if outcome is not None:
            over = book.settled() and not ending
            found = _with_outcome(found, outcome, over=over)
            if over and outcome.type == "Complete":
                status["completionTime"] = objects.now()
        found, started = _with_suspension(job, found)
        status |= {"conditions": found} if found else {}
        status |= {"startTime": started} if started else {}
        counts = {
            "active": len(alive),
            "succeeded": book.succeeded,
            "failed": book.failed,
        }
        status |= {name: count for name, count in counts.items() if count}
        status |= {"ready": sum(map(pods.is_ready, alive)), "terminating": len(ending)}
        if job_indexes.is_indexed(job):
            done = job_indexes.succeeded(job, owned)
            status |= {"completedIndexes": job_indexes.render(done)} if done else {}
        return status | {"uncountedTerminatedPods": book.uncounted()}

    def _tell(self, before: Object, after: Object) -> None:
        old = {c["type"]: c for c in objects.dig(before, "status.conditions", [])}
        for condition in objects.dig(after, "status.conditions", []):
            known = old.get(condition["type"], {})
            if condition["status"] != known.get("status"):
                self._tell_condition(after, condition, known)

    def _tell_condition(self, job: Object, condition: Object, known: Object) -> None:
        match condition["type"], condition["status"]:
            case "Complete", "True":
                self.recorder.event(job, "Normal", "Completed", "Job completed")
            case "Failed", "True":
                self.recorder.event(job, "Warning", condition["reason"], condition["message"])
            case "Suspended", "True":
                self.recorder.event(job, "Normal", "Suspended", "Job suspended")
            case "Suspended", "False" if known:
                self.recorder.event(job, "Normal", "Resumed", "Job resumed")


def _counts(owned: list[Object], book: job_tracking.Ledger) -> job_rules.Counts:
    active = [pod for pod in owned if pods.is_active(pod)]
    return job_rules.Counts(
        active=len(active),
        ready=sum(map(pods.is_ready, active)),
        terminating=sum(objects.deleting(p) and not pods.is_finished(p) for p in owned),
        succeeded=book.total_succeeded,
        failed=book.total_failed,
    )


def _with_outcome(found: list[Object], outcome: job_rules.Outcome, *, over: bool) -> list[Object]:
    types = (outcome.interim, outcome.type) if over else (outcome.interim,)
    for type_ in types:
        found = conditions.put(
            found, type_, "True", outcome.reason, outcome.message, lastProbeTime=objects.now()
        )
    return found


def _with_suspension(job: Object, found: list[Object]) -> tuple[list[Object], str | None]:
    """The condition Suspended, and the start time, which counts anew after a suspension."""
    started = objects.dig(job, "status.startTime")
    known = conditions.find(found, "Suspended")
    stamp = objects.now()
    if job_rules.is_suspended(job):
        found = conditions.put(
            found, "Suspended", "True", "JobSuspended", "Job suspended", lastProbeTime=stamp
        )
        return found, None
    if known is not None and known["status"] == "True":
        found = conditions.put(
            found, "Suspended", "False", "JobResumed", "Job resumed", lastProbeTime=stamp
        )
        return found, stamp
    return found, started or stamp


def _pause(owned: list[Object]) -> float:
    failures = [job_rules.ended_at(p) for p in owned if pods.phase(p) == "Failed"]
    successes = [job_rules.ended_at(p) for p in owned if pods.phase(p) == "Succeeded"]
    return job_rules.pause(failures, max(successes, default=0.0), time.time())


def _new_pods(job: Object, owned: list[Object], missing: int) -> list[Object]:
    pod = objects.clone(pods.from_template(job["spec"]["template"], job))
    pod["metadata"].setdefault("finalizers", []).append(job_tracking.FINALIZER)
    if not job_indexes.is_indexed(job):
        return [pod] * missing
    return [job_indexes.mark(pod, job, index) for index in job_indexes.free(job, owned, missing)]


def _sooner(one: float | None, other: float | None) -> float | None:
    # A moment more than the deadline: time stamps are whole seconds.
    found = [wait for wait in (one, other + 0.05 if other is not None else None) if wait]
    return min((wait for wait in found if wait > 0), default=None)
