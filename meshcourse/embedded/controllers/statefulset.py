"""StatefulSets: pods with stable names, made in order.

Source: Kubernetes documentation of StatefulSets. What to do next is decided in `stateful_plan`.
"""

from __future__ import annotations

import time

from meshcourse.embedded.controllers import (
    controller_revisions,
    ownership,
    pods,
    refusals,
    replicaset,
    scaling,
    stateful_plan,
)
from meshcourse.embedded.controllers.context import FIELD_MANAGER, Context
from meshcourse.embedded.controllers.controller import Controller
from meshcourse.embedded.controllers.controller_revisions import HASH
from meshcourse.embedded.kube import objects, refs
from meshcourse.embedded.kube.objects import Key, Object
from meshcourse.embedded.kube.refs import Resource
from meshcourse.embedded.kube.status import ApiError

CLAIMS = Resource("", "v1", "persistentvolumeclaims", "PersistentVolumeClaim")
_POD_NAME = "statefulset.kubernetes.io/pod-name"
_POD_INDEX = "apps.kubernetes.io/pod-index"


class StatefulSetController(Controller):
    name = "statefulset-controller"
    max_delay = scaling.MAX_DELAY

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._sets = context.informer(refs.STATEFULSETS)
        self._pods = context.informer(refs.PODS)
        revisions = context.informer(controller_revisions.RESOURCE)
        self._history = controller_revisions.History(self, revisions)
        self._sets.add_handler(self.enqueue)
        ownership.watch_owned(self._pods, self._sets, self.queue.add)

    async def sync(self, key: Key) -> float | None:
        owner = self._sets.get(*key)
        if owner is None:
            return None
        owned = await ownership.claim(self.client, owner, refs.STATEFULSETS, self._pods)
        if objects.deleting(owner):
            return None
        update = objects.name(await self._history.current(key, owner))
        current = objects.dig(owner, "status.currentRevision", "") or update
        step = stateful_plan.step(owner, owned, update)
        for number in step.create:
            below = number < stateful_plan.partition(owner)
            await self._create(key, owner, number, current if below else update)
        for pod in step.delete:
            await self._delete(key, owner, pod)
        live = {update, current, *map(stateful_plan.revision_of, owned)}
        await self._history.trim(owner, live)
        await self._report(key, owner, owned, current, update)
        return replicaset.next_availability(owner, owned)

    async def _create(self, key: Key, owner: Object, number: int, revision: str) -> None:
        template = self._template(owner, revision)
        pod = _pod(owner, template, number, revision)
        name = objects.name(pod)
        try:
            await self._claims(owner, number)
            made = await self.client.create(
                refs.PODS, pod, key.namespace, field_manager=FIELD_MANAGER
            )
        except ApiError as error:
            if error.reason == "AlreadyExists" or refusals.namespace_is_terminating(error):
                return
            message = f"create Pod {name} in StatefulSet {key.name} failed error: {error.message}"
            self.recorder.event(owner, "Warning", "FailedCreate", message)
            raise
        self.writes.wrote(key, self._pods, made)
        message = f"create Pod {name} in StatefulSet {key.name} successful"
        self.recorder.event(owner, "Normal", "SuccessfulCreate", message)

    def _template(self, owner: Object, revision: str) -> Object:
        """The template of a revision; pods below the partition are made from the old one."""
        for known in self._history.of(owner):
            if objects.name(known) == revision:
                template: Object = dict(known["data"]["spec"]["template"])
                template.pop("$patch", None)
                return template
        return dict(owner["spec"]["template"])

    async def _claims(self, owner: Object, number: int) -> None:
        """One claim for every ``volumeClaimTemplates`` entry; they outlive the pod."""
        for template in owner["spec"].get("volumeClaimTemplates") or []:
            name = _claim_name(owner, template, number)
            labels = objects.dig(owner, "spec.selector.matchLabels", {})
            meta = {"name": name, "labels": labels, "annotations": objects.annotations_of(template)}
            wanted = {"apiVersion": "v1", "kind": CLAIMS.kind, "metadata": meta}
            wanted["spec"] = template["spec"]
            try:
                await self.client.create(
                    CLAIMS, wanted, objects.namespace(owner), field_manager=FIELD_MANAGER
                )
            except ApiError as error:
                if error.reason != "AlreadyExists":
                    raise

    async def _delete(self, key: Key, owner: Object, pod: Object) -> None:
        name = objects.name(pod)
        try:
            await self.client.delete(refs.PODS, name, key.namespace, uid=objects.uid(pod))
        except ApiError as error:
            if not refusals.is_gone(error):
                raise
        self.writes.deleted(key, self._pods, pod)
        message = f"delete Pod {name} in StatefulSet {key.name} successful"
        self.recorder.event(owner, "Normal", "SuccessfulDelete", message)

    async def _report(
        self, key: Key, owner: Object, owned: list[Object], current: str, update: str
    ) -> None:
        status = new_status(owner, owned, current, update)
        if status == owner.get("status"):
            return
        changed = {**owner, "status": status}
        written = await self.client.update(
            refs.STATEFULSETS, changed, subresource="status", field_manager=FIELD_MANAGER
        )
        self.writes.wrote(key, self._sets, written)


def new_status(owner: Object, owned: list[Object], current: str, update: str) -> Object:
    """``status`` for these pods. When all pods are of the new revision it becomes the current one."""
    ready = [pod for pod in owned if pods.is_ready(pod) and not objects.deleting(pod)]
    min_ready = int(objects.dig(owner, "spec.minReadySeconds", 0))
    available = [pod for pod in ready if pods.is_available(pod, min_ready, time.time())]
    updated = [pod for pod in owned if stateful_plan.revision_of(pod) == update]
    complete = (
        len(updated) == len(owned) == len(ready) == len(stateful_plan.wanted(owner))
        and stateful_plan.partition(owner) == 0
    )
    current = update if complete else current
    counts = {
        "readyReplicas": len(ready),
        "currentReplicas": sum(stateful_plan.revision_of(pod) == current for pod in owned),
        "updatedReplicas": len(updated),
    }
    status: Object = {
        "observedGeneration": objects.dig(owner, "metadata.generation", 1),
        "replicas": len(owned),
    }
    status |= {name: count for name, count in counts.items() if count}
    status |= {"currentRevision": current, "updateRevision": update}
    collisions = int(objects.dig(owner, "status.collisionCount", 0))
    return status | {"collisionCount": collisions, "availableReplicas": len(available)}


def _pod(owner: Object, template: Object, number: int, revision: str) -> Object:
    pod = objects.clone(pods.from_template(template, owner))
    name = f"{objects.name(owner)}-{number}"
    del pod["metadata"]["generateName"]
    pod["metadata"]["name"] = name
    labels = pod["metadata"].setdefault("labels", {})
    labels |= {_POD_NAME: name, _POD_INDEX: str(number), HASH: revision}
    pod["spec"]["hostname"] = name
    if owner["spec"].get("serviceName"):
        pod["spec"]["subdomain"] = owner["spec"]["serviceName"]
    _add_volumes(pod, owner, number)
    return pod


def _add_volumes(pod: Object, owner: Object, number: int) -> None:
    templates = owner["spec"].get("volumeClaimTemplates") or []
    names = {objects.name(template) for template in templates}
    volumes = [one for one in pod["spec"].get("volumes") or [] if one["name"] not in names]
    for template in templates:
        claim = {"claimName": _claim_name(owner, template, number)}
        volumes.append({"name": objects.name(template), "persistentVolumeClaim": claim})
    if volumes:
        pod["spec"]["volumes"] = volumes


def _claim_name(owner: Object, template: Object, number: int) -> str:
    return f"{objects.name(template)}-{objects.name(owner)}-{number}"
