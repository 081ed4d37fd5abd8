"""One pass over one Deployment: its ReplicaSets as they are, and the writes that change them."""

from __future__ import annotations

from meshcourse.embedded.client.informer import Informer
from meshcourse.embedded.controllers import (
    conditions,
    ownership,
    refusals,
    revisions,
    rollout_plan,
    rollout_status,
)
from meshcourse.embedded.controllers.context import FIELD_MANAGER
from meshcourse.embedded.controllers.controller import Controller
from meshcourse.embedded.kube import objects, refs
from meshcourse.embedded.kube.objects import Key, Object
from meshcourse.embedded.kube.status import ApiError


class Rollout:
    """The state of a pass. `deployment`, `new` and `old` follow the writes made through it."""

    def __init__(
        self,
        controller: Controller,
        key: Key,
        deployment: Object,
        sets: list[Object],
        deployments: Informer,
        replicasets: Informer,
    ) -> None:
        self._controller = controller
        self._client = controller.client
        self._key = key
        self._deployments = deployments
        self._replicasets = replicasets
        self.deployment = deployment
        self._dirty = False
        self.new = revisions.find_new(deployment, sets)
        self.old = [rs for rs in sets if rs is not self.new]

    def everyone(self) -> list[Object]:
        return [*self.old, *([self.new] if self.new else [])]

    def active(self) -> list[Object]:
        return [rs for rs in self.everyone() if rollout_plan.replicas(rs) > 0]

    def active_old(self) -> list[Object]:
        return [rs for rs in self.old if rollout_plan.replicas(rs) > 0]

    # -- the new ReplicaSet and its revision ------------------------------------------------

    async def ensure_new(self) -> Object | None:
        """The ReplicaSet of the current template, made if it is missing; None if the server refuses it."""
        if self.new is None:
            return await self._create_new()
        await self.settle_revision()
        return self.new

    async def settle_revision(self) -> None:
        """Number an existing new ReplicaSet after all others, and the Deployment after it."""
        if self.new is None:
            return
        wanted = max(map(revisions.of, self.old), default=0) + 1
        notes = revisions.notes(self.deployment, self.new, wanted, exists=True)
        min_ready = self.deployment["spec"].get("minReadySeconds", 0)
        same = self.new["spec"].get("minReadySeconds", 0) == min_ready
        if notes != objects.annotations_of(self.new) or not same:
            spec = self.new["spec"] if same else {**self.new["spec"], "minReadySeconds": min_ready}
            await self._update_set(self.new, notes, spec)
        self._note_revision(revisions.of(self.new))
        if conditions.find(self._conditions(), "Progressing") is None:
            message = f'Found new replica set "{objects.name(self.new)}"'
            self._note_progress("FoundNewReplicaSet", message)

    async def _create_new(self) -> Object | None:
        wanted = revisions.new_replicaset(self.deployment)
        size = rollout_plan.new_size(self.deployment, wanted, [*self.old, wanted])
        wanted["spec"]["replicas"] = size
        revision = max(map(revisions.of, self.old), default=0) + 1
        notes = revisions.notes(self.deployment, wanted, revision, exists=False)
        wanted["metadata"]["annotations"] = notes
        made = await self._create(wanted)
        if made is None:
            return None
        name = objects.name(made)
        self.new = self._controller.writes.wrote(self._key, self._replicasets, made)
        if size > 0:
            self._tell(f"Scaled up replica set {name} from 0 to {size}")
        self._note_revision(revision)
        self._note_progress("NewReplicaSetCreated", f'Created new replica set "{name}"')
        return self.new

    async def _create(self, wanted: Object) -> Object | None:
        namespace, name = objects.key(wanted)
        try:
            return await self._client.create(
                refs.REPLICASETS, wanted, namespace, field_manager=FIELD_MANAGER
            )
        except ApiError as error:
            if refusals.namespace_is_terminating(error):
                return None
            if error.reason == "AlreadyExists":
                return await self._collision(name)
            if rollout_status.deadline(self.deployment) is not None:
                message = f'Failed to create new replica set "{name}": {error.message}'
                self._set_progressing("False", "ReplicaSetCreateError", message)
                await self.update_status(self.deployment["status"])
            raise

    async def _collision(self, name: str) -> Object | None:
        """Ours already (our cache was behind), or somebody else's: then the hash is made anew."""
        namespace = objects.namespace(self.deployment)
        found = await self._client.get(refs.REPLICASETS, name, namespace)
        mine = ownership.is_controlled_by(found, self.deployment)
        if mine and revisions.find_new(self.deployment, [found]) is not None:
            return found
        status = self.deployment.get("status") or {}
        await self.update_status({**status, "collisionCount": status.get("collisionCount", 0) + 1})
        return None

    def _note_revision(self, revision: int) -> None:
        if revisions.of(self.deployment) == revision:
            return
        notes = {**objects.annotations_of(self.deployment), revisions.REVISION: str(revision)}
        meta = {**self.deployment["metadata"], "annotations": notes}
        # Written with the status: as a change of the object it would make a new generation.
        self.deployment = {**self.deployment, "metadata": meta}
        self._dirty = True

    # -- sizes ------------------------------------------------------------------------------

    async def scale_all(self) -> None:
        """Bring ``spec.replicas`` of the Deployment to its ReplicaSets outside of a rollout's steps."""
        active = self.active()
        if len(active) <= 1:
            await self._scale_only(active)
        elif rollout_plan.is_saturated(self.deployment, self.new):
            for rs in self.active_old():
                await self.scale(rs, 0)
        elif rollout_plan.is_rolling(self.deployment):
            for rs, size in rollout_plan.proportional(self.deployment, active):
                await self.scale(rs, size)

    async def _scale_only(self, active: list[Object]) -> None:
        candidates = active or ([self.new] if self.new else self.old)
        if candidates:
            newest = max(candidates, key=revisions.by_creation)
            await self.scale(newest, rollout_plan.replicas(self.deployment))

    async def scale(self, rs: Object, size: int) -> bool:
        """Give a ReplicaSet a size, and the note of the Deployment's; whether its size changed."""
        before = rollout_plan.replicas(rs)
        notes = objects.annotations_of(rs) | rollout_plan.size_annotations(self.deployment)
        if before == size and notes == objects.annotations_of(rs):
            return False
        await self._update_set(rs, notes, {**rs["spec"], "replicas": size})
        if before == size:
            return False
        direction = "up" if size > before else "down"
        name = objects.name(rs)
        self._tell(f"Scaled {direction} replica set {name} from {before} to {size}")
        return True

    async def clean_up(self) -> None:
        """Delete old ReplicaSets beyond the history limit."""
        for rs in revisions.expired(self.deployment, self.old):
            namespace, name = objects.key(rs)
            try:
                await self._client.delete(refs.REPLICASETS, name, namespace, uid=objects.uid(rs))
            except ApiError as error:
                if not refusals.is_gone(error):
                    raise

    async def _update_set(self, rs: Object, notes: dict[str, str], spec: Object) -> None:
        changed = {**rs, "metadata": {**rs["metadata"], "annotations": notes}, "spec": spec}
        written = await self._client.update(refs.REPLICASETS, changed, field_manager=FIELD_MANAGER)
        self._controller.writes.wrote(self._key, self._replicasets, written)
        if rs is self.new:
            self.new = written
        else:
            self.old = [written if one is rs else one for one in self.old]

    # -- status -----------------------------------------------------------------------------

    async def report(self) -> None:
        """Write the counts and availability."""
        await self.update_status(
            rollout_status.calculate(self.deployment, self.new, self.everyone())
        )

    async def report_progress(self) -> None:
        """Write the whole status during a rollout."""
        status = rollout_status.calculate(self.deployment, self.new, self.everyone())
        status = rollout_status.with_progress(self.deployment, status, self.new)
        status = rollout_status.with_failures(status, self.new, self.everyone())
        await self.update_status(status)

    async def update_status(self, status: Object) -> None:
        if status == self.deployment.get("status") and not self._dirty:
            return
        written = await self._client.update(
            refs.DEPLOYMENTS,
            {**self.deployment, "status": status},
            subresource="status",
            field_manager=FIELD_MANAGER,
        )
        self._dirty = False
        self._adopt(written)

    def _note_progress(self, reason: str, message: str) -> None:
        if rollout_status.deadline(self.deployment) is not None:
            self._set_progressing("True", reason, message)

    def _set_progressing(self, status: str, reason: str, message: str) -> None:
        """Noted here, written with the counts at the end of the pass."""
        found = rollout_status.set_condition(
            self._conditions(), "Progressing", status, reason, message
        )
        state = {**(self.deployment.get("status") or {}), "conditions": found}
        self.deployment = {**self.deployment, "status": state}
        self._dirty = True

    def _conditions(self) -> list[Object]:
        return list(objects.dig(self.deployment, "status.conditions", []))

    def _adopt(self, written: Object) -> None:
        self.deployment = self._controller.writes.wrote(self._key, self._deployments, written)

    def _tell(self, message: str) -> None:
        self._controller.recorder.event(self.deployment, "Normal", "ScalingReplicaSet", message)
