"""Deployments: roll out templates by growing and shrinking ReplicaSets.

Source: Kubernetes documentation of Deployments; events, reasons and messages as kube-controller-manager words them.
The arithmetic is in `rollout_plan`, the status in `rollout_status`, revisions in `revisions`.
"""

from __future__ import annotations

from meshcourse.embedded.controllers import (
    conditions,
    ownership,
    pods,
    revisions,
    rollout_plan,
    rollout_status,
)
from meshcourse.embedded.controllers.context import Context
from meshcourse.embedded.controllers.controller import Controller
from meshcourse.embedded.controllers.rollout import Rollout
from meshcourse.embedded.kube import objects, refs, selectors
from meshcourse.embedded.kube.objects import Key, Object


class DeploymentController(Controller):
    name = "deployment-controller"
    workers = 8

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._deployments = context.informer(refs.DEPLOYMENTS)
        self._sets = context.informer(refs.REPLICASETS)
        self._pods = context.informer(refs.PODS)
        self._deployments.add_handler(self.enqueue)
        ownership.watch_owned(self._sets, self._deployments, self.queue.add)
        self._pods.add_handler(self._pod_gone)

    def _pod_gone(self, type_: str, pod: Object, old: Object | None) -> None:
        """Recreate waits for the last old pod."""
        if type_ == "MODIFIED" and not (pods.is_finished(pod) and old and pods.is_active(old)):
            return
        owner = ownership.controller_of(pod, self._sets) if type_ != "ADDED" else None
        deployment = ownership.controller_of(owner, self._deployments) if owner else None
        if deployment is not None and not rollout_plan.is_rolling(deployment):
            self.queue.add(objects.key(deployment))

    async def sync(self, key: Key) -> float | None:
        deployment = self._deployments.get(*key)
        if deployment is None:
            return None
        if not selectors.from_object(deployment["spec"].get("selector") or {}):
            self._selects_everything(deployment)
            return None
        sets = await ownership.claim(self.client, deployment, refs.DEPLOYMENTS, self._sets)
        rollout = Rollout(self, key, deployment, sets, self._deployments, self._sets)
        if objects.deleting(deployment):
            await rollout.report()
            return None
        await self._note_pause(rollout)
        await self._act(rollout)
        return rollout_status.next_check(rollout.deployment, rollout.deployment.get("status") or {})

    def _selects_everything(self, deployment: Object) -> None:
        message = "This deployment is selecting all pods. A non-empty selector is required."
        self.recorder.event(deployment, "Warning", "SelectingAll", message)

    async def _act(self, rollout: Rollout) -> None:
        deployment = rollout.deployment
        if deployment["spec"].get("paused"):
            await self._resize(rollout, clean=True)
        elif rollout_plan.scaled_meanwhile(deployment, rollout.active()):
            await self._resize(rollout, clean=False)
        elif rollout_plan.is_rolling(deployment):
            await self._roll(rollout)
        else:
            await self._recreate(rollout)

    async def _resize(self, rollout: Rollout, *, clean: bool) -> None:
        """Only follow ``spec.replicas``; no template moves."""
        await rollout.settle_revision()
        await rollout.scale_all()
        if clean:
            await rollout.clean_up()
        await rollout.report()

    async def _roll(self, rollout: Rollout) -> None:
        new = await rollout.ensure_new()
        if new is None:
            return
        grown = rollout_plan.replicas(rollout.deployment)
        if rollout_plan.replicas(new) < grown:
            grown = rollout_plan.new_size(rollout.deployment, new, rollout.everyone())
        if await rollout.scale(new, grown):
            await rollout.report_progress()
            return
        old = sorted(rollout.active_old(), key=revisions.by_creation)
        for rs, size in rollout_plan.shrink_old(rollout.deployment, new, old):
            await rollout.scale(rs, size)
        if rollout_status.is_complete(rollout.deployment, rollout.deployment.get("status") or {}):
            await rollout.clean_up()
        await rollout.report_progress()

    async def _recreate(self, rollout: Rollout) -> None:
        await rollout.settle_revision()
        shrunk = [await rollout.scale(rs, 0) for rs in rollout.active_old()]
        if any(shrunk) or self._old_pods_run(rollout):
            await rollout.report_progress()
            return
        new = await rollout.ensure_new()
        if new is None:
            return
        await rollout.scale(new, rollout_plan.replicas(rollout.deployment))
        if rollout_status.is_complete(rollout.deployment, rollout.deployment.get("status") or {}):
            await rollout.clean_up()
        await rollout.report_progress()

    def _old_pods_run(self, rollout: Rollout) -> bool:
        """Terminating pods count: two versions must never run side by side."""
        return any(
            not pods.is_finished(pod)
            for rs in rollout.old
            for pod in self._pods.by_owner(objects.uid(rs))
        )

    async def _note_pause(self, rollout: Rollout) -> None:
        """So that a pause is not counted as lack of progress."""
        deployment = rollout.deployment
        if rollout_status.deadline(deployment) is None:
            return
        found = objects.dig(deployment, "status.conditions", [])
        current = conditions.find(found, "Progressing")
        reason = current.get("reason") if current else None
        paused = bool(deployment["spec"].get("paused"))
        if reason == rollout_status.TIMED_OUT or paused == (reason == "DeploymentPaused"):
            return
        word = "Paused" if paused else "Resumed"
        change = rollout_status.set_condition(
            found, "Progressing", "Unknown", f"Deployment{word}", f"Deployment is {word.lower()}"
        )
        await rollout.update_status({**(deployment.get("status") or {}), "conditions": change})
