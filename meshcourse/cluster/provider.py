"""What a source of clusters must be able to do. Everything else is the Kubernetes API.

A provider is asked for a kubeconfig, for the command that runs ``istioctl``, and whether this machine reaches a
Service directly. It starts and stops clusters only if it owns them (`Capabilities.owned`).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from meshcourse.cluster.manifests import Object
from meshcourse.cluster.progress import Progress


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the system: is it the real thing, and what is it here?"""

    name: str
    real: bool
    what: str


@dataclass(frozen=True, slots=True)
class Capabilities:
    """How this cluster differs from others, in properties rather than in its name.

    :param provider: ``embedded``, ``kind`` or ``context``.
    :param owned: it may be created and deleted by the course.
    :param direct: Services have addresses that this machine reaches without a port-forward.
    :param parts: what is real and what is a stand-in.
    :param patience: seconds that something may take to get ready, images on their way included.
    """

    provider: str
    owned: bool
    direct: bool
    parts: tuple[Part, ...] = ()
    patience: float = 120.0


class Provider(Protocol):
    """One cluster of one kind."""

    name: str
    capabilities: Capabilities

    def start(self, progress: Progress) -> None:
        """Create, resume or attach; returns when the API answers."""
        ...

    def stop(self, progress: Progress, *, delete: bool = False) -> None:
        """Take the cluster down: no process, port or socket is left.

        :param delete: forget its objects as well.
        """
        ...

    def running(self) -> bool: ...

    def status(self) -> dict[str, Any]:
        """Facts for ``meshcourse status``, JSON-ready."""
        ...

    def kubeconfig(self) -> Path: ...

    def consent(self, purpose: str) -> None:
        """May the course do something outside the learner's own namespaces (install Istio, an add-on)?

        :raises ClusterError: if the cluster is not the course's and nobody has said yes, or a right is missing.
        """
        ...

    def istioctl(self) -> list[str]:
        """The command line in front of istioctl's own arguments."""
        ...

    def direct(self, service: Object, port: int) -> tuple[str, int] | None:
        """Host and port at which this machine reaches a Service's port, None if only a port-forward does."""
        ...
