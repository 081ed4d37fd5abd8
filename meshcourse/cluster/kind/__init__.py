"""Real Kubernetes with real Istio on this machine: a kind cluster in a container engine, made by the course.

What belongs here: which engine and which kind there are, is the machine fit, the cluster's configuration, creating,
resuming and removing it, what its tools' failures mean. I/O: runs docker, podman or nerdctl and kind; files in the
state folder; the Kubernetes API while the cluster gets ready.
"""

from __future__ import annotations

from meshcourse.cluster.kind.provider import Kind, names

__all__ = ["Kind", "names"]
