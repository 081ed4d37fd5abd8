"""What is known about one container: the part of a Pod's status that belongs to it.

Source: Kubernetes API reference, ContainerStatus; kubelet's words for reasons.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from meshcourse.embedded.kube.objects import Object

#: ``init`` runs to completion, ``sidecar`` is an init container with restartPolicy Always.
Role = Literal["init", "sidecar", "main"]


def waiting(reason: str, message: str = "") -> Object:
    """A ``state`` with ``waiting``."""
    return {"waiting": {"reason": reason, **({"message": message} if message else {})}}


def running(started_at: str) -> Object:
    return {"running": {"startedAt": started_at}}


def terminated(
    exit_code: int,
    reason: str,
    *,
    started_at: str | None,
    finished_at: str | None,
    container_id: str = "",
    message: str = "",
) -> Object:
    """A ``state`` with ``terminated``; times are null for a container that was lost."""
    found: Object = {"exitCode": exit_code, "reason": reason}
    if message:
        found["message"] = message
    found |= {"startedAt": started_at, "finishedAt": finished_at}
    if container_id:
        found["containerID"] = container_id
    return {"terminated": found}


@dataclass(slots=True)
class ContainerState:
    """Mutable record of one container, written by its runner and read by the status writer.

    :param image: the reference as the runtime reports it (spec's own until the image is found).
    """

    name: str
    role: Role
    image: str
    image_id: str = ""
    container_id: str = ""
    state: Object = field(default_factory=lambda: waiting("ContainerCreating"))
    last_state: Object = field(default_factory=dict)
    restart_count: int = 0
    ready: bool = False
    started: bool = False
    resources: Object = field(default_factory=dict)

    @property
    def running(self) -> bool:
        return "running" in self.state

    @property
    def exit_code(self) -> int | None:
        """The exit code if it has terminated and is not about to be started again."""
        found = self.state.get("terminated")
        return None if found is None else int(found["exitCode"])

    def render(self) -> Object:
        """As ``status.containerStatuses[]``."""
        found: Object = {
            "name": self.name,
            "state": self.state,
            "lastState": self.last_state,
            "ready": self.ready,
            "restartCount": self.restart_count,
            "image": self.image,
            "imageID": self.image_id,
            "started": self.started,
        }
        if self.container_id:
            found["containerID"] = self.container_id
        if self.resources:
            found["resources"] = self.resources
            if "requests" in self.resources:
                found["allocatedResources"] = self.resources["requests"]
        return found


def restore(state: ContainerState, status: Object) -> None:
    """Take over what an earlier daemon recorded. A container that ran then is lost now.

    A real kubelet finds the containers of a rebooted node gone and reports exit code 255, reason Unknown.
    """
    state.restart_count = int(status.get("restartCount") or 0)
    state.last_state = status.get("lastState") or {}
    state.image = status.get("image") or state.image
    state.image_id = status.get("imageID") or ""
    state.container_id = status.get("containerID") or ""
    old = status.get("state") or {}
    if "running" in old:
        state.state = terminated(
            255,
            "Unknown",
            started_at=old["running"].get("startedAt"),
            finished_at=None,
            container_id=state.container_id,
        )
    elif "terminated" in old:
        state.state = old
