"""Removing pods that no kubelet will ever remove.

Source: Kubernetes documentation of the pod life cycle, "Garbage collection of Pods": pods of a node that is gone, pods
that are terminating without ever having been scheduled, and finished pods beyond a threshold (oldest first).
"""

from __future__ import annotations

import time

from meshcourse.embedded.controllers import pods, refusals
from meshcourse.embedded.controllers.context import Context
from meshcourse.embedded.controllers.controller import Controller
from meshcourse.embedded.kube import objects, refs
from meshcourse.embedded.kube.objects import Key, Object
from meshcourse.embedded.kube.status import ApiError

#: Finished pods that may stay (``--terminated-pod-gc-threshold`` of kube-controller-manager).
THRESHOLD = 12500

#: Seconds for which a node may be missing: it may be coming back.
QUARANTINE = 40.0


class PodGcController(Controller):
    name = "pod-garbage-collector"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._pods = context.informer(refs.PODS)
        self._nodes = context.informer(refs.NODES)
        self._finished: dict[Key, None] = {}
        self._missing: dict[Key, float] = {}
        self._pods.add_handler(self._pod_changed)
        self._nodes.add_handler(self._node_changed)

    def _pod_changed(self, type_: str, pod: Object, old: Object | None) -> None:
        key = objects.key(pod)
        if type_ == "DELETED":
            self._finished.pop(key, None)
            self._missing.pop(key, None)
            return
        if pods.is_finished(pod):
            self._finished[key] = None
            if len(self._finished) > THRESHOLD:
                self.queue.add(next(iter(self._finished)))
        if not pod["spec"].get("nodeName"):
            if objects.deleting(pod):
                self.queue.add(key)
        elif old is None or not old["spec"].get("nodeName"):
            self.queue.add(key)

    def _node_changed(self, type_: str, node: Object, old: Object | None) -> None:
        if type_ == "DELETED":
            for key, pod in self._pods.items.items():
                if pod["spec"].get("nodeName") == objects.name(node):
                    self.queue.add(key)

    async def sync(self, key: Key) -> float | None:
        pod = self._pods.get(*key)
        if pod is None:
            return None
        node = pod["spec"].get("nodeName", "")
        if node and self._nodes.get("", node) is None:
            return await self._node_is_missing(key, pod)
        self._missing.pop(key, None)
        unscheduled = not node and objects.deleting(pod)
        surplus = key in self._finished and len(self._finished) > THRESHOLD
        if unscheduled or surplus:
            await self._delete(key, pod)
        return None

    async def _node_is_missing(self, key: Key, pod: Object) -> float | None:
        since = self._missing.setdefault(key, time.monotonic())
        left = since + QUARANTINE - time.monotonic()
        if left > 0:
            return left
        await self._delete(key, pod)
        return None

    async def _delete(self, key: Key, pod: Object) -> None:
        try:
            await self.client.delete(
                refs.PODS, key.name, key.namespace, grace_seconds=0, uid=objects.uid(pod)
            )
        except ApiError as error:
            if not refusals.is_gone(error):
                raise
