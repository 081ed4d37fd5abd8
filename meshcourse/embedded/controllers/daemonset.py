"""DaemonSets: one pod on every node that the template admits (the engine has one node).

Source: Kubernetes documentation of DaemonSets: pods are bound by node affinity, tolerate a node's troubles, and are
replaced a few at a time (``maxUnavailable``) when the template changes.
"""

from __future__ import annotations

import math
import time
from typing import Any

from meshcourse.embedded.controllers import controller_revisions, ownership, pods, scaling
from meshcourse.embedded.controllers.context import FIELD_MANAGER, Context
from meshcourse.embedded.controllers.controller import Controller
from meshcourse.embedded.controllers.controller_revisions import HASH
from meshcourse.embedded.kube import objects, refs
from meshcourse.embedded.kube.objects import Key, Object

#: What every daemon's pod tolerates.
_TOLERATED = (
    ("node.kubernetes.io/not-ready", "NoExecute"),
    ("node.kubernetes.io/unreachable", "NoExecute"),
    ("node.kubernetes.io/disk-pressure", "NoSchedule"),
    ("node.kubernetes.io/memory-pressure", "NoSchedule"),
    ("node.kubernetes.io/pid-pressure", "NoSchedule"),
    ("node.kubernetes.io/unschedulable", "NoSchedule"),
)


class DaemonSetController(Controller):
    name = "daemonset-controller"
    max_delay = scaling.MAX_DELAY

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._sets = context.informer(refs.DAEMONSETS)
        self._pods = context.informer(refs.PODS)
        self._nodes = context.informer(refs.NODES)
        revisions = context.informer(controller_revisions.RESOURCE)
        self._history = controller_revisions.History(self, revisions)
        self._scaler = scaling.PodScaler(self, self._pods)
        self._sets.add_handler(self.enqueue)
        self._nodes.add_handler(self._node_changed)
        ownership.watch_owned(self._pods, self._sets, self.queue.add)

    def _node_changed(self, type_: str, node: Object, old: Object | None) -> None:
        """A node's heart beats often; only its labels and its being there matter."""
        if type_ == "MODIFIED" and old and objects.labels(node) == objects.labels(old):
            return
        for owner in self._sets.items.values():
            self.queue.add(objects.key(owner))

    async def sync(self, key: Key) -> float | None:
        owner = self._sets.get(*key)
        if owner is None:
            return None
        owned = await ownership.claim(self.client, owner, refs.DAEMONSETS, self._pods)
        if objects.deleting(owner):
            return None
        revision = await self._history.current(key, owner)
        mark = objects.labels(revision)[HASH]
        wanted = [n for n in self._nodes.items.values() if _admits(owner, n)]
        await self._place(key, owner, owned, wanted, mark)
        await self._replace_outdated(key, owner, owned, mark)
        live = {f"{key.name}-{objects.labels(pod).get(HASH)}" for pod in owned}
        await self._history.trim(owner, live | {objects.name(revision)})
        await self._report(key, owner, owned, wanted, mark)
        return None

    async def _place(
        self, key: Key, owner: Object, owned: list[Object], nodes: list[Object], mark: str
    ) -> None:
        """A pod for every node without one; none on others; finished ones are made anew."""
        failed = [pod for pod in owned if pods.is_finished(pod) and not objects.deleting(pod)]
        alive = [pod for pod in owned if pod not in failed]
        names = [objects.name(node) for node in nodes]
        surplus = [pod for pod in alive if _node_of(pod) not in names]
        served = {_node_of(pod) for pod in alive}
        missing = [_pod(owner, name, mark) for name in names if name not in served]
        doomed = [pod for pod in [*failed, *surplus] if not objects.deleting(pod)]
        if failure := await self._scaler.delete(key, owner, doomed):
            raise failure
        if not doomed and (failure := await self._scaler.create(key, owner, missing)):
            raise failure

    async def _replace_outdated(
        self, key: Key, owner: Object, owned: list[Object], mark: str
    ) -> None:
        strategy = objects.dig(owner, "spec.updateStrategy", {})
        if strategy.get("type", "RollingUpdate") != "RollingUpdate":
            return
        alive = [pod for pod in owned if pods.is_active(pod)]
        outdated = [pod for pod in alive if objects.labels(pod).get(HASH) != mark]
        limit = _limit((strategy.get("rollingUpdate") or {}).get("maxUnavailable", 1), len(owned))
        ready = [pod for pod in alive if pods.is_ready(pod)]
        room = max(0, limit - (len(owned) - len(ready)))
        broken = [pod for pod in outdated if not pods.is_ready(pod)]
        working = [pod for pod in outdated if pods.is_ready(pod)]
        if failure := await self._scaler.delete(key, owner, [*broken, *working[:room]]):
            raise failure

    async def _report(
        self, key: Key, owner: Object, owned: list[Object], nodes: list[Object], mark: str
    ) -> None:
        status = _status(owner, owned, [objects.name(node) for node in nodes], mark)
        if status == owner.get("status"):
            return
        changed = {**owner, "status": status}
        written = await self.client.update(
            refs.DAEMONSETS, changed, subresource="status", field_manager=FIELD_MANAGER
        )
        self.writes.wrote(key, self._sets, written)


def _status(owner: Object, owned: list[Object], nodes: list[str], mark: str) -> Object:
    alive = [pod for pod in owned if pods.is_active(pod)]
    placed = [pod for pod in alive if _node_of(pod) in nodes]
    min_ready = int(objects.dig(owner, "spec.minReadySeconds", 0))
    available = sum(pods.is_available(pod, min_ready, time.time()) for pod in placed)
    updated = sum(objects.labels(pod).get(HASH) == mark for pod in placed)
    status: Object = {
        "currentNumberScheduled": len(placed),
        "numberMisscheduled": len(alive) - len(placed),
        "desiredNumberScheduled": len(nodes),
        "numberReady": sum(map(pods.is_ready, placed)),
        "observedGeneration": objects.dig(owner, "metadata.generation", 1),
    }
    optional = {
        "updatedNumberScheduled": updated,
        "numberAvailable": available,
        "numberUnavailable": max(0, len(nodes) - available),
    }
    return status | {name: count for name, count in optional.items() if count}


def _admits(owner: Object, node: Object) -> bool:
    wanted = objects.dig(owner, "spec.template.spec.nodeSelector", {})
    return bool(wanted.items() <= objects.labels(node).items()) and not objects.deleting(node)


def _node_of(pod: Object) -> str:
    """The node a pod runs on, or is meant for."""
    if pod["spec"].get("nodeName"):
        return str(pod["spec"]["nodeName"])
    path = "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution"
    for term in objects.dig(pod, f"{path}.nodeSelectorTerms", []):
        for field in term.get("matchFields") or []:
            if field["key"] == "metadata.name":
                return str(field["values"][0])
    return ""


def _pod(owner: Object, node: str, mark: str) -> Object:
    pod = objects.clone(pods.from_template(owner["spec"]["template"], owner))
    pod["metadata"].setdefault("labels", {})[HASH] = mark
    field = {"key": "metadata.name", "operator": "In", "values": [node]}
    required = {"nodeSelectorTerms": [{"matchFields": [field]}]}
    affinity = pod["spec"].setdefault("affinity", {})
    affinity.setdefault("nodeAffinity", {})["requiredDuringSchedulingIgnoredDuringExecution"] = (
        required
    )
    tolerations = pod["spec"].setdefault("tolerations", [])
    tolerations += [{"key": k, "operator": "Exists", "effect": e} for k, e in _TOLERATED]
    return pod


def _limit(value: Any, total: int) -> int:
    """``maxUnavailable``, rounded up, at least one."""
    if isinstance(value, int):
        return max(1, value)
    return max(1, math.ceil(int(str(value).rstrip("%")) * total / 100))
