"""What `launcher.status` tells about a running cluster: its processes by kind, its pods. Standard library only."""

from __future__ import annotations

import base64
import json
import ssl
import urllib.request
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from meshcourse.embedded.daemon import census

_PATIENCE = 3.0


def process(pid: int) -> dict[str, Any]:
    """``pid``, ``kind``, ``command`` and ``memory`` (bytes) of one process."""
    command = census.command_line(pid)
    return {"pid": pid, "kind": kind(command), "command": command, "memory": census.memory(pid)}


def kind(command: str) -> str:
    """What a process is to the cluster, judged by its command line."""
    program = command.split(" ", 1)[0].rpartition("/")[2]
    if program == "envoy":
        return "kube-proxy" if "--service-node kube-proxy" in command else "sidecars and gateways"
    if "meshcourse.embedded.daemon" in command:
        return "daemon"
    if command.startswith("meshcourse forkserver"):
        return "fork server"
    return "containers"


def by_kind(processes: Iterable[dict[str, Any]]) -> dict[str, int]:
    """Bytes by kind, the largest first."""
    found: dict[str, int] = {}
    for each in processes:
        found[each["kind"]] = found.get(each["kind"], 0) + each["memory"]
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def pods(kubeconfig: Path) -> list[dict[str, Any]] | None:
    """All pods in short; None if the API server does not answer."""
    try:
        listed = request(json.loads(kubeconfig.read_text()), "/api/v1/pods")
    except (OSError, ValueError):
        return None
    return [_short(pod) for pod in listed["items"]]


def _short(pod: dict[str, Any]) -> dict[str, Any]:
    status = pod.get("status") or {}
    sidecars = [c for c in pod["spec"].get("initContainers") or [] if c.get("restartPolicy")]
    names = {c["name"] for c in [*pod["spec"]["containers"], *sidecars]}
    states = [
        *(status.get("initContainerStatuses") or []),
        *(status.get("containerStatuses") or []),
    ]
    states = [each for each in states if each["name"] in names]
    return {
        "namespace": pod["metadata"]["namespace"],
        "name": pod["metadata"]["name"],
        "phase": status.get("phase", "Pending"),
        "ready": sum(1 for each in states if each["ready"]),
        "containers": len(names),
        "restarts": sum(each["restartCount"] for each in states),
    }


def request(
    config: dict[str, Any], path: str, *, method: str = "GET", body: Any = None
) -> dict[str, Any]:
    """One request with the address, CA and token of a kubeconfig (ours is JSON).

    :raises OSError: if nobody answers, or not with success.
    """
    cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
    ca = base64.b64decode(cluster["certificate-authority-data"]).decode()
    asked = urllib.request.Request(
        cluster["server"] + path,
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {user['token']}", "Content-Type": "application/json"},
    )
    context = ssl.create_default_context(cadata=ca)
    # Never through a proxy: the address is on this machine.
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
    )
    with opener.open(asked, timeout=_PATIENCE) as answer:
        found: dict[str, Any] = json.load(answer)
    return found
