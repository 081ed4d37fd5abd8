"""The Node object: what this machine is, kept alive with a lease.

Source: kubelet's node status setters and nodelease (renewed every 10 s; the status itself every 5 minutes).
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import hashlib
import logging
import os
import platform
import shutil
import sys
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path

from meshcourse import versions
from meshcourse.embedded.client.protocol import Client
from meshcourse.embedded.kube import objects, refs
from meshcourse.embedded.kube.objects import Object
from meshcourse.embedded.kube.status import ApiError
from meshcourse.embedded.kubelet.images import Pulled
from meshcourse.embedded.kubelet.scheduler import MAX_PODS

log = logging.getLogger(__name__)

_LEASE_SECONDS = 40
_RENEW_EVERY = 10.0
_STATUS_EVERY = 300.0
_LEASE_NAMESPACE = "kube-node-lease"
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
#: The kubelet's conditions: type, status, reason, message.
_CONDITIONS = (
    (
        "MemoryPressure",
        "False",
        "KubeletHasSufficientMemory",
        "kubelet has sufficient memory available",
    ),
    ("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
    ("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
    ("Ready", "True", "KubeletReady", "kubelet is posting ready status"),
)


@functools.cache
def capacity() -> Mapping[str, str]:
    """What the machine has: ``cpu``, ``memory``, ``pods``, ``ephemeral-storage``."""
    return {
        "cpu": str(os.cpu_count() or 1),
        "ephemeral-storage": f"{shutil.disk_usage('/').total // 1024}Ki",
        "memory": f"{memory_bytes() // 1024}Ki",
        "pods": str(MAX_PODS),
    }


@functools.cache
def memory_bytes() -> int:
    """The machine's memory."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def render(name: str, images: list[Pulled], conditions: list[Object]) -> Object:
    """The Node as the kubelet wants it."""
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": _labels(name)},
        "spec": {},
        "status": {
            "addresses": [
                {"type": "InternalIP", "address": "127.0.0.1"},
                {"type": "Hostname", "address": name},
            ],
            "capacity": dict(capacity()),
            "allocatable": dict(capacity()),
            "conditions": conditions,
            "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}},
            "images": [
                {"names": [pulled.name, pulled.image_id], "sizeBytes": 0} for pulled in images
            ],
            "nodeInfo": _info(name),
        },
    }


def _labels(name: str) -> dict[str, str]:
    system, machine = sys.platform, _ARCHITECTURES.get(platform.machine(), platform.machine())
    return {
        "beta.kubernetes.io/arch": machine,
        "beta.kubernetes.io/os": system,
        "kubernetes.io/arch": machine,
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux" if system == "linux" else system,
        "node-role.kubernetes.io/control-plane": "",
        "topology.kubernetes.io/region": "local",
        "topology.kubernetes.io/zone": "local-a",
    }


def _info(name: str) -> Object:
    system = platform.uname()
    identity = hashlib.sha256(f"{name} {uuid.getnode()}".encode()).hexdigest()[:32]
    return {
        "architecture": _ARCHITECTURES.get(system.machine, system.machine),
        "bootID": _boot_id(),
        "containerRuntimeVersion": f"meshcourse://{platform.python_version()}",
        "kernelVersion": system.release,
        "kubeProxyVersion": "",
        "kubeletVersion": versions.KUBERNETES,
        "machineID": identity,
        "operatingSystem": sys.platform,
        "osImage": f"{system.system} (meshcourse embedded)",
        "systemUUID": identity,
    }


def _boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def conditions(old: list[Object], now: str) -> list[Object]:
    """The kubelet's conditions with a new heartbeat; transition times are kept, others' conditions too."""
    known = {condition["type"]: condition for condition in old}
    mine = []
    for type_, status, reason, message in _CONDITIONS:
        before = known.pop(type_, None)
        same = before is not None and before.get("status") == status
        mine.append(
            {
                "type": type_,
                "status": status,
                "lastHeartbeatTime": now,
                "lastTransitionTime": before["lastTransitionTime"] if before and same else now,
                "reason": reason,
                "message": message,
            }
        )
    return [*known.values(), *mine]


class NodeKeeper:
    """Registers the node and keeps its status and lease current.

    :param images: what has been pulled so far.
    """

    def __init__(self, client: Client, name: str, images: Callable[[], list[Pulled]]) -> None:
        self._client = client
        self.name = name
        self._images = images
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Register; when this returns the Node exists and is Ready."""
        await self._post_status()
        self._task = asyncio.create_task(self._keep(), name="node lease")

    async def stop(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _keep(self) -> None:
        loop = asyncio.get_running_loop()
        posted = loop.time()
        while True:
            try:
                await self._renew()
                if loop.time() - posted > _STATUS_EVERY:
                    await self._post_status()
                    posted = loop.time()
            except ApiError as error:
                log.warning("node %s: %s", self.name, error.message)
            await asyncio.sleep(_RENEW_EVERY)

    async def _post_status(self) -> None:
        try:
            old = await self._client.get(refs.NODES, self.name)
        except ApiError as error:
            if error.code != 404:
                raise
            old = await self._client.create(refs.NODES, render(self.name, [], []))
        fresh = conditions(objects.dig(old, "status.conditions", []), objects.now())
        status = render(self.name, self._images(), fresh)["status"]
        await self._client.patch(
            refs.NODES, self.name, {"status": status}, kind="merge", subresource="status"
        )

    async def _renew(self) -> None:
        stamp = objects.now_micro()
        try:
            await self._client.patch(
                refs.LEASES, self.name, {"spec": {"renewTime": stamp}}, _LEASE_NAMESPACE
            )
        except ApiError as error:
            if error.code != 404:
                raise
            await self._create_lease(stamp)

    async def _create_lease(self, stamp: str) -> None:
        lease: Object = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": self.name, "namespace": _LEASE_NAMESPACE},
            "spec": {
                "holderIdentity": self.name,
                "leaseDurationSeconds": _LEASE_SECONDS,
                "renewTime": stamp,
            },
        }
        with contextlib.suppress(ApiError):  # the namespace appears a moment after a first start
            await self._client.create(refs.LEASES, lease, _LEASE_NAMESPACE)
