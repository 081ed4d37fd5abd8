"""Binds pods to the one node, or says why they have to wait.

Source: kube-scheduler (filters and their messages, the PodScheduled condition, the Scheduled and
FailedScheduling events). Requests are held against what the machine has in all, not added up: processes here
are not confined, and a laptop's two cores would otherwise refuse what runs on it without effort.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from meshcourse.embedded.client.events import Recorder
from meshcourse.embedded.client.informer import Informer
from meshcourse.embedded.client.protocol import Client
from meshcourse.embedded.kube import addresses, objects, quantities, refs
from meshcourse.embedded.kube.objects import Key, Object
from meshcourse.embedded.kube.status import ApiError
from meshcourse.embedded.kubelet import addressing, affinity
from meshcourse.embedded.kubelet.addressing import Allocator
from meshcourse.errors import MeshcourseError

log = logging.getLogger(__name__)

NAME = "default-scheduler"
MAX_PODS = 110
_PREEMPTION = "preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling."


def refusal(pod: Object, node: Object, running: int) -> str:
    """Why the node cannot take the pod, as one of kube-scheduler's filters words it; "" if it can."""
    if not affinity.selects(pod, node):
        return "1 node(s) didn't match Pod's node affinity/selector"
    taints = list(objects.dig(node, "spec.taints", []))
    if objects.dig(node, "spec.unschedulable", False):
        taints.append({"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"})
    taint = affinity.untolerated(pod, taints)
    if taint is not None:
        if taint["key"] == "node.kubernetes.io/unschedulable":
            return "1 node(s) were unschedulable"
        return f"1 node(s) had untolerated taint {{{taint['key']}: {taint.get('value') or ''}}}"
    if running >= MAX_PODS:
        return "1 Too many pods"
    short = [f"1 Insufficient {name}" for name in _insufficient(pod, node)]
    return ", ".join(short)


def _insufficient(pod: Object, node: Object) -> list[str]:
    allocatable = objects.dig(node, "status.allocatable", {})
    wanted: dict[str, float] = {}
    for container in addressing.containers(pod):
        for name, amount in (objects.dig(container, "resources.requests", {})).items():
            wanted[name] = wanted.get(name, 0.0) + float(quantities.parse(amount))
    return [
        name
        for name, amount in sorted(wanted.items())
        if amount > float(quantities.parse(allocatable.get(name, "0")))
    ]


class Scheduler:
    """Watches the kubelet's informer of all pods.

    :param node: the current Node object.
    """

    def __init__(
        self,
        client: Client,
        pods: Informer,
        node: Callable[[], Object],
        node_name: str,
        allocator: Allocator,
    ) -> None:
        self._client = client
        self._pods = pods
        self._node = node
        self._node_name = node_name
        self._allocator = allocator
        self._recorder = Recorder(client, NAME)
        self._binding: dict[Key, asyncio.Task[None]] = {}
        self._waiting: dict[Key, str] = {}

    def start(self) -> None:
        self._pods.add_handler(self._on_pod)

    async def stop(self) -> None:
        self._pods.remove_handler(self._on_pod)
        tasks = list(self._binding.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._recorder.stop()

    def retry(self) -> None:
        """The node changed, or a pod went: those that wait may fit now."""
        for key in list(self._waiting):
            pod = self._pods.get(*key)
            if pod is not None:
                self._consider(pod)

    def _on_pod(self, type_: str, pod: Object, _old: Object | None) -> None:
        key = objects.key(pod)
        if type_ == "DELETED":
            self._waiting.pop(key, None)
            self.retry()
        elif not objects.dig(pod, "spec.nodeName") and not objects.deleting(pod):
            self._consider(pod)

    def _consider(self, pod: Object) -> None:
        key = objects.key(pod)
        if (objects.dig(pod, "spec.schedulerName") or NAME) != NAME or key in self._binding:
            return
        task = asyncio.create_task(self._schedule(pod), name=f"schedule {key.namespace}/{key.name}")
        self._binding[key] = task
        task.add_done_callback(lambda _: self._binding.pop(key, None))

    async def _schedule(self, pod: Object) -> None:
        try:
            if objects.dig(pod, "spec.schedulingGates", []):
                await self._refuse(
                    pod,
                    "SchedulingGated",
                    "Scheduling is blocked due to non-empty scheduling gates",
                )
                return
            why = refusal(pod, self._node(), self._running())
            if why:
                message = f"0/1 nodes are available: {why}. {_PREEMPTION}"
                if await self._refuse(pod, "Unschedulable", message):
                    self._recorder.event(pod, "Warning", "FailedScheduling", message)
                return
            await self._bind(pod)
        except (ApiError, MeshcourseError) as error:
            if not isinstance(error, ApiError) or error.code not in (404, 409):
                log.warning("pod %s was not scheduled: %s", objects.key(pod), error)

    def _running(self) -> int:
        phases = ("Succeeded", "Failed")
        pods = self._pods.items.values()
        return sum(
            1
            for pod in pods
            if objects.dig(pod, "spec.nodeName") and objects.dig(pod, "status.phase") not in phases
        )

    async def _bind(self, pod: Object) -> None:
        """Bind, and hand over the addresses with it, so that they are there before any container starts."""
        given = self._allocator.allocate(pod)
        binding = {
            "apiVersion": "v1",
            "kind": "Binding",
            "metadata": {
                "name": objects.name(pod),
                "namespace": objects.namespace(pod),
                "uid": objects.uid(pod),
                "annotations": {addresses.ANNOTATION: given.render()},
            },
            "target": {"apiVersion": "v1", "kind": "Node", "name": self._node_name},
        }
        try:
            await self._client.create(
                refs.PODS,
                binding,
                objects.namespace(pod),
                name=objects.name(pod),
                subresource="binding",
            )
        except ApiError:
            self._allocator.release(objects.uid(pod))
            raise
        self._waiting.pop(objects.key(pod), None)
        where = f"{objects.namespace(pod)}/{objects.name(pod)} to {self._node_name}"
        self._recorder.event(pod, "Normal", "Scheduled", f"Successfully assigned {where}")

    async def _refuse(self, pod: Object, reason: str, message: str) -> bool:
        """Say why in the status; False if that is there already."""
        key = objects.key(pod)
        if self._waiting.get(key) == message:
            return False
        self._waiting[key] = message
        condition = {
            "type": "PodScheduled",
            "status": "False",
            "reason": reason,
            "message": message,
            "lastProbeTime": None,
            "lastTransitionTime": objects.now(),
        }
        patch = {"metadata": {"uid": objects.uid(pod)}, "status": {"conditions": [condition]}}
        await self._client.patch(
            refs.PODS,
            objects.name(pod),
            patch,
            objects.namespace(pod),
            kind="strategic",
            subresource="status",
        )
        return True
