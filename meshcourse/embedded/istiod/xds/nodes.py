"""Who is on the other end of a stream: Envoy's node id and metadata.

Source: Istio's node id ``sidecar~10.1.2.3~reviews-v1-abc.default~default.svc.cluster.local``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from meshcourse.errors import MeshcourseError


class BadNode(MeshcourseError):
    """A node that does not say who it is."""


@dataclass(frozen=True, slots=True)
class Node:
    """The parts of a node id, and what the agent wrote into the bootstrap's metadata."""

    id: str
    kind: str
    ip: str
    pod: str
    namespace: str
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """``pod.namespace``, how ``istioctl proxy-status`` names a proxy."""
        return f"{self.pod}.{self.namespace}"

    @property
    def service_account(self) -> str:
        return str(self.metadata.get("SERVICE_ACCOUNT") or "")

    @property
    def version(self) -> str:
        return str(self.metadata.get("ISTIO_VERSION") or "")


def parse(node_id: str, metadata: Mapping[str, Any]) -> Node:
    """The node behind an id.

    :raises BadNode: in Istio's words.
    """
    if not node_id:
        raise BadNode("missing node information")
    parts = node_id.split("~")
    if len(parts) != 4:
        raise BadNode(f"missing parts in the service node {node_id!r}")
    kind, ip, name, _domain = parts
    if kind not in ("sidecar", "router"):
        raise BadNode(
            f"invalid node type (valid types: sidecar, router) in the service node {node_id!r}"
        )
    pod, _, namespace = name.rpartition(".")
    if not pod:
        raise BadNode(f"the service node {node_id!r} does not name a pod and its namespace")
    return Node(node_id, kind, ip, pod, namespace, metadata)
