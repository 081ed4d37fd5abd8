"""The embedded provider: the engine on this machine. The only module of the course that knows it.

It may import `embedded.daemon.launcher` and nothing else of the engine (enforced by import-linter); istioctl of the
embedded cluster is a program, not a library.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from meshcourse.cluster import kubeconfig, reach, rest
from meshcourse.cluster.manifests import Object, dig
from meshcourse.cluster.progress import Progress
from meshcourse.cluster.provider import Capabilities, Part
from meshcourse.embedded.daemon import launcher
from meshcourse.errors import MeshcourseError

_ADDRESSES = "meshcourse.io/addresses"

PARTS = (
    Part("Envoy", True, "the real proxy, one process per pod: every request passes through it"),
    Part("mTLS", True, "real TLS between the Envoys, certificates issued and rotated at run time"),
    Part("metrics, access logs, traces", True, "what these Envoys themselves report"),
    Part("kubectl, Kubernetes clients", True, "the real tools, over HTTPS"),
    Part("Kubernetes API server", False, "ours: same API, stored in SQLite"),
    Part(
        "controllers, scheduler, kubelet",
        False,
        "ours: a pod is a set of processes on this machine",
    ),
    Part("container images", False, "ours: a catalogue of programs under the real image names"),
    Part("istiod, istioctl", False, "ours: Istio's API and xDS, written for this course"),
    Part(
        "Bookinfo and the other samples", False, "ours: same endpoints, same headers, same versions"
    ),
    Part("traffic capture", False, "proxy variables in place of iptables"),
)


class Embedded:
    """The embedded cluster called `name`."""

    def __init__(self, name: str = "") -> None:
        self.name = name or launcher.DEFAULT_NAME
        self.capabilities = Capabilities("embedded", owned=True, direct=True, parts=PARTS)

    def start(self, progress: Progress) -> None:
        launcher.up(self.name, lambda stage: progress.finished(stage.name, stage.seconds))

    def stop(self, progress: Progress, *, delete: bool = False) -> None:
        with progress.stage(f'cluster "{self.name}" down'):
            launcher.down(self.name, delete=delete)

    def running(self) -> bool:
        """Does its API server answer? (`status` would measure the memory of every process.)"""
        try:
            rest.Rest(kubeconfig.read(self.kubeconfig())).get("/version")
        except MeshcourseError:
            return False
        return True

    def status(self) -> dict[str, Any]:
        return launcher.status(self.name)

    def kubeconfig(self) -> Path:
        return launcher.kubeconfig_path(self.name)

    def consent(self, purpose: str) -> None:
        """The cluster is the course's own."""

    def add_image(self, image: str, command: Sequence[str]) -> str:
        """Make a program of the learner's an image; returns the path by which manifests may name it."""
        return launcher.add_image(image, command, self.name)

    def remove_image(self, image: str) -> bool:
        return launcher.remove_image(image, self.name)

    def images(self) -> dict[str, list[str]]:
        """Every image: its path and the learner's command, [] for one of the course's own."""
        return launcher.list_images(self.name)

    def istioctl(self) -> list[str]:
        return [sys.executable, "-m", "meshcourse.embedded.istioctl"]

    def direct(self, service: Object, port: int) -> tuple[str, int] | None:
        """Service addresses are loopback addresses; where ports are allocated an annotation maps them."""
        text = dig(service, "metadata.annotations", {}).get(_ADDRESSES)
        known = json.loads(text) if text else {}
        cluster_ip = known.get("clusterIP") or dig(service, "spec.clusterIP", "")
        host = reach.load_balancer(service) or cluster_ip
        if host in ("", "None"):
            return None
        return host, int(known.get("ports", {}).get(str(port), port))


def names() -> list[str]:
    """The embedded clusters that have state on this machine, running or not."""
    return launcher.list_clusters()


def logs(name: str, lines: int = 100) -> str:
    """The last lines of the daemon's log."""
    return launcher.logs(name or launcher.DEFAULT_NAME, lines)
