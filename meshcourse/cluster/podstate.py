"""How a pod is doing, in the words of ``kubectl get pods``. Pure.

Source: the printer of pods in Kubernetes (READY counts containers and sidecars, STATUS is the most telling reason).
"""

from __future__ import annotations

from typing import Any

from meshcourse.cluster.manifests import Object, dig, name_of


def containers(pod: Object) -> list[Object]:
    """The containers that count for READY: the ordinary ones and native sidecars (init, restartPolicy Always)."""
    native = [
        item
        for item in dig(pod, "spec.initContainers", [])
        if item.get("restartPolicy") == "Always"
    ]
    return native + list(dig(pod, "spec.containers", []))


def ready(pod: Object) -> tuple[int, int]:
    """How many containers are ready, of how many."""
    wanted = [item["name"] for item in containers(pod)]
    states = {item["name"]: item for item in _statuses(pod)}
    return sum(bool(states.get(name, {}).get("ready")) for name in wanted), len(wanted)


def is_ready(pod: Object) -> bool:
    """Running, every container ready, not on its way out; or finished successfully."""
    if dig(pod, "status.phase") == "Succeeded":
        return True
    conditions = dig(pod, "status.conditions", [])
    passed = any(item["type"] == "Ready" and item["status"] == "True" for item in conditions)
    return passed and not dig(pod, "metadata.deletionTimestamp")


def status(pod: Object) -> str:
    """``Running``, ``ContainerCreating``, ``Init:0/1``, ``CrashLoopBackOff``, ``Terminating`` …"""
    if dig(pod, "metadata.deletionTimestamp"):
        return "Terminating"
    for index, item in enumerate(dig(pod, "status.initContainerStatuses", [])):
        if blocked := _init_reason(pod, item, index):
            return blocked
    for item in reversed(dig(pod, "status.containerStatuses", [])):
        if reason := _reason(item):
            return reason
    return str(dig(pod, "status.reason") or dig(pod, "status.phase", "Pending"))


def restarts(pod: Object) -> int:
    """Restarts of all containers together."""
    return sum(int(item.get("restartCount") or 0) for item in _statuses(pod))


def describe(pod: Object) -> str:
    """``reviews-v1-abc 1/2 Running``: one pod in one line."""
    have, want = ready(pod)
    again = f", {restarts(pod)} restarts" if restarts(pod) else ""
    return f"{name_of(pod)} {have}/{want} {status(pod)}{again}"


def _statuses(pod: Object) -> list[dict[str, Any]]:
    return [
        *dig(pod, "status.initContainerStatuses", []),
        *dig(pod, "status.containerStatuses", []),
    ]


def _reason(container: dict[str, Any]) -> str:
    state = container.get("state") or {}
    for phase in ("waiting", "terminated"):
        if phase in state:
            reason = state[phase].get("reason")
            return str(reason or ("PodInitializing" if phase == "waiting" else "Error"))
    return ""


def _init_reason(pod: Object, container: dict[str, Any], index: int) -> str:
    state = container.get("state") or {}
    if dig(state, "terminated.exitCode") == 0 or container.get("started"):
        return ""
    total = len(dig(pod, "spec.initContainers", []))
    reason = _reason(container)
    if reason and reason != "PodInitializing":
        return f"Init:{reason}"
    return f"Init:{index}/{total}"
