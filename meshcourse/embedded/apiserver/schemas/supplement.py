"""Definitions that the published set leaves out: the metrics API, which is an extension API server's.

Source: the types of ``metrics.k8s.io/v1beta1`` (metrics-server). Descriptions are ours.
"""

from __future__ import annotations

from typing import Any, Final

#: Raised when `DEFINITIONS` changes, so that caches are made anew.
VERSION: Final = 1

_META = "#/$defs/io.k8s.apimachinery.pkg.apis.meta.v1"
_METRICS = "io.k8s.metrics.pkg.apis.metrics.v1beta1"
_USAGE = {
    "type": "object",
    "description": "Average use by resource: cpu in cores, memory in bytes.",
    "additionalProperties": {"$ref": "#/$defs/io.k8s.apimachinery.pkg.api.resource.Quantity"},
}


def _kind(kind: str, **properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "description": f"{kind}: resource use, measured by the node.",
        "properties": {
            "apiVersion": {"type": "string", "description": "The version of this schema."},
            "kind": {"type": "string", "description": "The kind of this object."},
            "metadata": {"$ref": f"{_META}.ObjectMeta", "description": "Standard metadata."},
            "timestamp": {"$ref": f"{_META}.Time", "description": "The end of the window."},
            "window": {"type": "string", "description": "The length of the window."},
            **properties,
        },
        "x-kubernetes-group-version-kind": [
            {"group": "metrics.k8s.io", "version": "v1beta1", "kind": kind}
        ],
    }


#: In the form of the package's file (references into ``$defs``).
DEFINITIONS: Final[dict[str, dict[str, Any]]] = {
    f"{_METRICS}.NodeMetrics": _kind("NodeMetrics", usage=_USAGE),
    f"{_METRICS}.PodMetrics": _kind(
        "PodMetrics",
        containers={
            "type": "array",
            "description": "Use by container.",
            "items": {"$ref": f"#/$defs/{_METRICS}.ContainerMetrics"},
        },
    ),
    f"{_METRICS}.ContainerMetrics": {
        "type": "object",
        "description": "Resource use of one container.",
        "properties": {
            "name": {"type": "string", "description": "The container's name."},
            "usage": _USAGE,
        },
    },
}
