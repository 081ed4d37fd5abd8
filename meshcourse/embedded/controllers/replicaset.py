"""ReplicaSets: keep the number of pods that the spec asks for.

Source: Kubernetes documentation of ReplicaSet; events and conditions in the words of kube-controller-manager.
"""

from __future__ import annotations

import time

from meshcourse.embedded.controllers import conditions, ownership, pods, refusals, scaling
from meshcourse.embedded.controllers.context import FIELD_MANAGER, Context
from meshcourse.embedded.controllers.controller import Controller
from meshcourse.embedded.kube import objects, refs
from meshcourse.embedded.kube.objects import Key, Object
from meshcourse.embedded.kube.status import ApiError


class ReplicaSetController(Controller):
    name = "replicaset-controller"
    workers = 8
    max_delay = scaling.MAX_DELAY

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._sets = context.informer(refs.REPLICASETS)
        self._pods = context.informer(refs.PODS)
        self._scaler = scaling.PodScaler(self, self._pods)
        self._sets.add_handler(self.enqueue)
        ownership.watch_owned(self._pods, self._sets, self.queue.add)

    async def sync(self, key: Key) -> float | None:
        owner = self._sets.get(*key)
        if owner is None:
            return None
        owned = await ownership.claim(self.client, owner, refs.REPLICASETS, self._pods)
        alive = [pod for pod in owned if pods.is_active(pod)]
        failure: ApiError | None = None
        if not objects.deleting(owner):
            failure = await self._scaler.reconcile(key, owner, alive, _wanted(owner))
        await self._report(key, owner, alive, failure)
        if failure is not None and not refusals.namespace_is_terminating(failure):
            raise failure
        return next_availability(owner, alive)

    async def _report(
        self, key: Key, owner: Object, alive: list[Object], failure: ApiError | None
    ) -> None:
        status = new_status(owner, alive, failure, time.time())
        if status == owner.get("status"):
            return
        written = await self.client.update(
            refs.REPLICASETS,
            {**owner, "status": status},
            subresource="status",
            field_manager=FIELD_MANAGER,
        )
        self.writes.wrote(key, self._sets, written)


def _wanted(owner: Object) -> int:
    return int(objects.dig(owner, "spec.replicas", 1))


def new_status(owner: Object, alive: list[Object], failure: ApiError | None, now: float) -> Object:
    """``status`` for these active pods. Zero counts are left out as in Go's JSON, except ``replicas``."""
    min_ready = int(objects.dig(owner, "spec.minReadySeconds", 0))
    template = objects.dig(owner, "spec.template.metadata.labels", {})
    counts = {
        "fullyLabeledReplicas": sum(template.items() <= objects.labels(p).items() for p in alive),
        "readyReplicas": sum(map(pods.is_ready, alive)),
        "availableReplicas": sum(pods.is_available(p, min_ready, now) for p in alive),
    }
    status: Object = {"replicas": len(alive)}
    status |= {name: count for name, count in counts.items() if count}
    status["observedGeneration"] = objects.dig(owner, "metadata.generation", 1)
    found = _conditions(owner, len(alive), failure)
    if found:
        status["conditions"] = found
    return status


def _conditions(owner: Object, have: int, failure: ApiError | None) -> list[Object]:
    old = objects.dig(owner, "status.conditions", [])
    if failure is None:
        return conditions.without(old, "ReplicaFailure")
    reason = "FailedCreate" if have < _wanted(owner) else "FailedDelete"
    return conditions.put(old, "ReplicaFailure", "True", reason, failure.message)


def next_availability(owner: Object, alive: list[Object]) -> float | None:
    """Seconds until the next ready pod has been ready for ``minReadySeconds``, if one is on the way."""
    min_ready = int(objects.dig(owner, "spec.minReadySeconds", 0))
    if not min_ready:
        return None
    waits = [pods.available_in(pod, min_ready, time.time()) for pod in alive]
    return min((wait for wait in waits if wait), default=None)
