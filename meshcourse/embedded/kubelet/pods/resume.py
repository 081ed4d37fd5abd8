"""What a pod's containers start from when a daemon takes over pods of an earlier one. Pure.

Source: what a real kubelet does after its node was rebooted: the sandbox is gone, running containers are lost, init
containers run again, restart counts rise by one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from meshcourse.embedded.kube import objects
from meshcourse.embedded.kube.objects import Object
from meshcourse.embedded.kubelet.pods import state
from meshcourse.embedded.kubelet.pods.state import ContainerState


def finished(pod: Object) -> bool:
    """Whether the pod has come to its end."""
    return objects.dig(pod, "status.phase") in ("Succeeded", "Failed")


def states(
    pod: Object,
    containers: Sequence[ContainerState],
    again: Callable[[ContainerState, int], bool],
) -> bool:
    """Fill in the states of all containers, init containers first; whether some were running and are lost.

    :param again: whether the restart policy starts a container again after an exit code.
    """
    initial = any(container.role != "main" for container in containers)
    reason = "PodInitializing" if initial else "ContainerCreating"
    known = _known(pod)
    for container in containers:
        container.state = state.waiting(reason)
        if container.name in known:
            state.restore(container, known[container.name])
            _renew(pod, container, again, reason)
    return any("running" in (entry.get("state") or {}) for entry in known.values())


def _known(pod: Object) -> dict[str, Object]:
    status = pod.get("status") or {}
    every = [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]
    return {entry["name"]: entry for entry in every}


def _renew(
    pod: Object,
    container: ContainerState,
    again: Callable[[ContainerState, int], bool],
    reason: str,
) -> None:
    """Make an ended container a waiting one if it is to live again."""
    code = container.exit_code
    if code is None or finished(pod):
        return
    # A new sandbox runs its init containers again, unless the pod has failed with its containers.
    never = objects.dig(pod, "spec.restartPolicy") == "Never"
    if (container.role == "init" and not never) or again(container, code):
        container.last_state, container.state = container.state, state.waiting(reason)
        container.restart_count += 1
