"""Removing Jobs some time after they ended (``ttlSecondsAfterFinished``).

Source: Kubernetes documentation, "Automatic cleanup for finished Jobs". The Job's pods go first (foreground).
"""

from __future__ import annotations

import time

from meshcourse.embedded.controllers import job_rules, refusals, times
from meshcourse.embedded.controllers.context import Context
from meshcourse.embedded.controllers.controller import Controller
from meshcourse.embedded.kube import objects, refs
from meshcourse.embedded.kube.objects import Key
from meshcourse.embedded.kube.status import ApiError


class FinishedJobsController(Controller):
    name = "ttl-after-finished-controller"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._jobs = context.informer(refs.JOBS)
        self._jobs.add_handler(self.enqueue)

    async def sync(self, key: Key) -> float | None:
        job = self._jobs.get(*key)
        over = job_rules.finished(job) if job is not None else None
        if job is None or over is None or objects.deleting(job):
            return None
        ttl = job["spec"].get("ttlSecondsAfterFinished")
        ended = times.seconds(over.get("lastTransitionTime"))
        if ttl is None or ended is None:
            return None
        left = ended + float(ttl) - time.time()
        if left > 0:
            return left
        await self._delete(key, objects.uid(job))
        return None

    async def _delete(self, key: Key, uid: str) -> None:
        try:
            await self.client.delete(
                refs.JOBS, key.name, key.namespace, propagation="Foreground", uid=uid
            )
        except ApiError as error:
            if not refusals.is_gone(error):
                raise
