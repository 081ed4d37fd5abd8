"""``metrics.k8s.io/v1beta1``: resource use of pods and nodes, as the node measures it.

Source: metrics-server (shape, units: CPU in nanocores, memory in Ki). Pods that have not run long enough are left out.
"""

from __future__ import annotations

from collections.abc import Iterable

from meshcourse.embedded.apiserver.streams.backend import NodeBackend, Usage
from meshcourse.embedded.kube import objects
from meshcourse.embedded.kube.objects import Object

_API_VERSION = "metrics.k8s.io/v1beta1"


def pod_metrics(backend: NodeBackend, pod: Object) -> Object | None:
    """PodMetrics of a running pod; None while there is nothing to tell."""
    if objects.dig(pod, "status.phase") != "Running":
        return None
    usage = backend.pod_usage(objects.namespace(pod), objects.name(pod))
    if not usage:
        return None
    containers = [{"name": name, "usage": _usage(found)} for name, found in sorted(usage.items())]
    window = max(found.window for found in usage.values())
    return _metrics("PodMetrics", pod, window, {"containers": containers})


def node_metrics(backend: NodeBackend, node: Object) -> Object:
    """NodeMetrics of the (one) node."""
    usage = backend.node_usage()
    return _metrics("NodeMetrics", node, usage.window, {"usage": _usage(usage)})


def listed(kind: str, items: Iterable[Object | None]) -> Object:
    """A list of `kind` (PodMetrics, NodeMetrics) of those items that have something to tell."""
    found = [item for item in items if item is not None]
    return {"kind": f"{kind}List", "apiVersion": _API_VERSION, "metadata": {}, "items": found}


def _metrics(kind: str, of: Object, window: float, content: Object) -> Object:
    metadata: Object = {"name": objects.name(of), "creationTimestamp": objects.now()}
    if objects.namespace(of):
        metadata["namespace"] = objects.namespace(of)
    if objects.labels(of):
        metadata["labels"] = objects.labels(of)
    return {
        "kind": kind,
        "apiVersion": _API_VERSION,
        "metadata": metadata,
        "timestamp": objects.now(),
        "window": f"{window:.3f}s",
        **content,
    }


def _usage(usage: Usage) -> Object:
    return {"cpu": f"{int(usage.cpu * 1e9)}n", "memory": f"{usage.memory // 1024}Ki"}
