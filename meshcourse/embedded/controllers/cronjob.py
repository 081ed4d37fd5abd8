"""CronJobs: Jobs at the times of a schedule.

Source: Kubernetes documentation of CronJobs; events in the words of the cronjob controller.
"""

from __future__ import annotations

import time

from meshcourse.embedded.controllers import cron_schedule, job_rules, ownership, refusals, times
from meshcourse.embedded.controllers.context import FIELD_MANAGER, Context
from meshcourse.embedded.controllers.controller import Controller
from meshcourse.embedded.kube import objects, refs
from meshcourse.embedded.kube.objects import Key, Object
from meshcourse.embedded.kube.status import ApiError

_SCHEDULED_AT = "batch.kubernetes.io/cronjob-scheduled-timestamp"


class CronJobController(Controller):
    name = "cronjob-controller"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._cronjobs = context.informer(refs.CRONJOBS)
        self._jobs = context.informer(refs.JOBS)
        self._cronjobs.add_handler(self.enqueue)
        self._jobs.add_handler(self._job_changed)

    def _job_changed(self, type_: str, job: Object, old: Object | None) -> None:
        owner = ownership.controller_of(job, self._cronjobs)
        if owner is not None:
            self.queue.add(objects.key(owner))

    async def sync(self, key: Key) -> float | None:
        cronjob = self._cronjobs.get(*key)
        if cronjob is None or objects.deleting(cronjob):
            return None
        jobs = [
            job
            for job in self._jobs.by_owner(objects.uid(cronjob))
            if ownership.is_controlled_by(job, cronjob)
        ]
        status = self._settle(cronjob, jobs)
        await self._trim(cronjob, jobs)
        wait = await self._run_due(key, cronjob, jobs, status)
        await self._report(key, cronjob, status)
        return wait

    # -- what has ended ---------------------------------------------------------------------

    def _settle(self, cronjob: Object, jobs: list[Object]) -> Object:
        """The status with finished Jobs no longer active and unknown active ones noted."""
        status = dict(cronjob.get("status") or {})
        known = {ref["uid"] for ref in status.get("active") or []}
        for job in jobs:
            over = job_rules.finished(job)
            if over is not None and objects.uid(job) in known:
                name = objects.name(job)
                message = f"Saw completed job: {name}, condition: {over['type']}"
                self.recorder.event(cronjob, "Normal", "SawCompletedJob", message)
        done = [job["status"].get("completionTime") for job in jobs if _succeeded(job)]
        latest = max((stamp for stamp in done if stamp), default="")
        if latest > str(status.get("lastSuccessfulTime") or ""):
            status["lastSuccessfulTime"] = latest
        return _with_active(status, [job for job in jobs if job_rules.finished(job) is None])

    async def _trim(self, cronjob: Object, jobs: list[Object]) -> None:
        """Keep only so many finished Jobs as the history limits say."""
        over = [job for job in jobs if job_rules.finished(job) and not objects.deleting(job)]
        over.sort(key=lambda job: str(objects.dig(job, "status.startTime", "")))
        good = [job for job in over if _succeeded(job)]
        bad = [job for job in over if not _succeeded(job)]
        for found, field, default in (
            (good, "successfulJobsHistoryLimit", 3),
            (bad, "failedJobsHistoryLimit", 1),
        ):
            limit = int(cronjob["spec"].get(field, default))
            for job in found[: max(0, len(found) - limit)]:
                await self._delete(cronjob, job)

    # -- what is to be run ------------------------------------------------------------------

    async def _run_due(
        self, key: Key, cronjob: Object, jobs: list[Object], status: Object
    ) -> float | None:
        """Start what is due. Returns the seconds until the next time."""
        spec = cronjob["spec"]
        if spec.get("suspend"):
            return None
        try:
            schedule = cron_schedule.parse(spec["schedule"], spec.get("timeZone") or "")
        except cron_schedule.ScheduleError as error:
            message = f"invalid schedule: {spec['schedule']!r} : {error.message}"
            self.recorder.event(cronjob, "Warning", "UnparseableSchedule", message)
            return None
        now = time.time()
        due = self._due(cronjob, schedule, now)
        if due is not None and _job_name(cronjob, due) not in map(objects.name, jobs):
            await self._start(key, cronjob, status, due, now)
        following = schedule.after(now)
        return None if following is None else max(0.001, following - time.time())

    def _due(self, cronjob: Object, schedule: cron_schedule.Schedule, now: float) -> float | None:
        """The latest time that has passed since the last start, if any."""
        moment = times.seconds(objects.dig(cronjob, "status.lastScheduleTime"))
        if moment is None:
            moment = times.seconds(objects.dig(cronjob, "metadata.creationTimestamp")) or now
        deadline = cronjob["spec"].get("startingDeadlineSeconds")
        if deadline is not None:
            moment = max(moment, now - float(deadline))
        missed, latest = schedule.missed(moment, now)
        if missed > cron_schedule.MANY:
            message = (
                "too many missed start times. Set or decrease .spec.startingDeadlineSeconds "
                "or check clock skew"
            )
            self.recorder.event(cronjob, "Warning", "TooManyMissedTimes", message)
        return latest

    async def _start(
        self, key: Key, cronjob: Object, status: Object, due: float, now: float
    ) -> None:
        active = status.get("active") or []
        policy = cronjob["spec"].get("concurrencyPolicy", "Allow")
        if policy == "Forbid" and active:
            message = "Not starting job because prior execution is running and concurrency policy is Forbid"
            self.recorder.event(cronjob, "Normal", "JobAlreadyActive", message)
            return
        if policy == "Replace":
            for ref in active:
                if (job := self._jobs.get(key.namespace, ref["name"])) is not None:
                    await self._delete(cronjob, job)
            status.pop("active", None)
        made = await self._create(key, cronjob, _job(cronjob, due))
        if made is not None:
            status["active"] = [*(status.get("active") or []), _reference(made)]
            status["lastScheduleTime"] = times.stamp(due)

    async def _create(self, key: Key, cronjob: Object, job: Object) -> Object | None:
        try:
            made = await self.client.create(
                refs.JOBS, job, key.namespace, field_manager=FIELD_MANAGER
            )
        except ApiError as error:
            if refusals.namespace_is_terminating(error) or error.reason == "AlreadyExists":
                return None
            message = f"Error creating job: {error.message}"
            self.recorder.event(cronjob, "Warning", "FailedCreate", message)
            raise
        self.writes.wrote(key, self._jobs, made)
        message = f"Created job {objects.name(made)}"
        self.recorder.event(cronjob, "Normal", "SuccessfulCreate", message)
        return made

    async def _delete(self, cronjob: Object, job: Object) -> None:
        namespace, name = objects.key(job)
        try:
            await self.client.delete(refs.JOBS, name, namespace, uid=objects.uid(job))
        except ApiError as error:
            if refusals.is_gone(error):
                return
            message = f"Deleted job: {error.message}"
            self.recorder.event(cronjob, "Warning", "FailedDelete", message)
            raise
        self.recorder.event(cronjob, "Normal", "SuccessfulDelete", f"Deleted job {name}")

    async def _report(self, key: Key, cronjob: Object, status: Object) -> None:
        if status == (cronjob.get("status") or {}):
            return
        changed = {**cronjob, "status": status}
        written = await self.client.update(
            refs.CRONJOBS, changed, subresource="status", field_manager=FIELD_MANAGER
        )
        self.writes.wrote(key, self._cronjobs, written)


def _succeeded(job: Object) -> bool:
    over = job_rules.finished(job)
    return over is not None and bool(over["type"] == "Complete")


def _with_active(status: Object, active: list[Object]) -> Object:
    found = [_reference(job) for job in sorted(active, key=objects.name)]
    rest = {k: v for k, v in status.items() if k != "active"}
    return rest | ({"active": found} if found else {})


def _reference(job: Object) -> Object:
    return {
        "kind": "Job",
        "namespace": objects.namespace(job),
        "name": objects.name(job),
        "uid": objects.uid(job),
        "apiVersion": "batch/v1",
    }


def _job_name(cronjob: Object, due: float) -> str:
    """The same time always makes the same name, so that nothing is started twice."""
    return f"{objects.name(cronjob)}-{int(due // 60)}"


def _job(cronjob: Object, due: float) -> Object:
    template = cronjob["spec"]["jobTemplate"]
    meta = template.get("metadata") or {}
    notes = {**(meta.get("annotations") or {}), _SCHEDULED_AT: times.stamp(due)}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": _job_name(cronjob, due),
            "namespace": objects.namespace(cronjob),
            "labels": meta.get("labels") or {},
            "annotations": notes,
            "ownerReferences": [objects.owner_reference(cronjob)],
        },
        "spec": template["spec"],
    }
