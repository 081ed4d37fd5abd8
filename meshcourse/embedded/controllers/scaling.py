"""Creating and deleting many pods of one owner, with the events that tell of it.

Source: behaviour of kube-controller-manager: pods are created in batches that double (1, 2, 4 …), so that an admission
that refuses all of them refuses once; at most 500 at a time.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

from meshcourse.embedded.client.informer import Informer
from meshcourse.embedded.controllers import pods, refusals
from meshcourse.embedded.controllers.context import FIELD_MANAGER
from meshcourse.embedded.controllers.controller import Controller
from meshcourse.embedded.kube import objects, refs
from meshcourse.embedded.kube.objects import Key, Object
from meshcourse.embedded.kube.status import ApiError

_BURST = 500

#: Longest pause after refusals, seconds. Kubernetes waits much longer, but what refuses pods here is mostly an
#: injection webhook that is just starting, and a learner is watching.
MAX_DELAY = 2.0


class PodScaler:
    """Creates and deletes pods on behalf of one controller."""

    def __init__(self, controller: Controller, informer: Informer) -> None:
        self._controller = controller
        self._client = controller.client
        self._informer = informer

    async def reconcile(
        self, key: Key, owner: Object, alive: list[Object], wanted: int
    ) -> ApiError | None:
        """Create or delete until `wanted` pods are left of those `alive`. Returns the first refusal."""
        missing = wanted - len(alive)
        if missing > 0:
            template = owner["spec"]["template"]
            return await self.create(
                key, owner, [pods.from_template(template, owner)] * min(missing, _BURST)
            )
        if missing < 0:
            now = time.time()
            order = sorted(alive, key=lambda pod: pods.deletion_order(pod, now))
            return await self.delete(key, owner, order[: min(-missing, _BURST)])
        return None

    async def create(self, key: Key, owner: Object, wanted: list[Object]) -> ApiError | None:
        """Create these pods, the first refusal ending it after its batch."""
        size = 1
        while wanted:
            batch, wanted = wanted[:size], wanted[size:]
            failures = await _together(lambda pod: self._create(key, owner, pod), batch)
            if failures:
                return failures[0]
            size *= 2
        return None

    async def delete(self, key: Key, owner: Object, unwanted: list[Object]) -> ApiError | None:
        failures = await _together(lambda pod: self._delete(key, owner, pod), unwanted)
        return failures[0] if failures else None

    async def _create(self, key: Key, owner: Object, pod: Object) -> None:
        recorder = self._controller.recorder
        try:
            made = await self._client.create(
                refs.PODS, pod, objects.namespace(owner), field_manager=FIELD_MANAGER
            )
        except ApiError as error:
            if not refusals.namespace_is_terminating(error):
                recorder.event(owner, "Warning", "FailedCreate", f"Error creating: {error.message}")
            raise
        self._controller.writes.wrote(key, self._informer, made)
        recorder.event(owner, "Normal", "SuccessfulCreate", f"Created pod: {objects.name(made)}")

    async def _delete(self, key: Key, owner: Object, pod: Object) -> None:
        recorder = self._controller.recorder
        name = objects.name(pod)
        try:
            await self._client.delete(refs.PODS, name, objects.namespace(pod), uid=objects.uid(pod))
        except ApiError as error:
            if refusals.is_gone(error):
                return
            recorder.event(owner, "Warning", "FailedDelete", f"Error deleting: {error.message}")
            raise
        self._controller.writes.deleted(key, self._informer, pod)
        recorder.event(owner, "Normal", "SuccessfulDelete", f"Deleted pod: {name}")


async def _together(
    call: Callable[[Object], Awaitable[None]], targets: list[Object]
) -> list[ApiError]:
    """All at once, for admission webhooks take their time; refusals are returned, anything else is raised."""
    if len(targets) == 1:  # without a task of its own it need not wait for those of others
        try:
            await call(targets[0])
        except ApiError as error:
            return [error]
        return []
    results = await asyncio.gather(*map(call, targets), return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException) and not isinstance(result, ApiError):
            raise result
    return [result for result in results if isinstance(result, ApiError)]
