"""What a cluster holds, compared before and after: an exercise must leave it as it was.

Left out is what controllers make and remake by themselves (pods, replica sets, endpoints, events, leases), and, within
objects, what the server and controllers write (status, versions, the time of the last restart).
"""

from __future__ import annotations

import json
from typing import Any

from meshcourse.cluster import kinds
from meshcourse.cluster.cluster import Cluster
from meshcourse.cluster.errors import ApiError
from meshcourse.cluster.manifests import Object, dig, name_of, namespace_of

_MADE_BY_CONTROLLERS = {
    "pods", "replicasets", "endpoints", "endpointslices", "events", "leases", "nodes", "apiservices",
    "componentstatuses", "controllerrevisions", "csinodes",
}  # fmt: skip
_NOISE = {"kubectl.kubernetes.io/restartedAt", "kubectl.kubernetes.io/last-applied-configuration"}
Snapshot = dict[str, str]


def take(cluster: Cluster) -> Snapshot:
    """``kind/namespace/name`` → what matters of the object, for every object that somebody made on purpose."""
    found: Snapshot = {}
    for kind in cluster.served(refresh=True).all:
        if (
            "list" in kind.verbs
            and "create" in kind.verbs
            and kind.plural not in _MADE_BY_CONTROLLERS
        ):
            for obj in _list(cluster, kind):
                key = f"{kind.qualified}/{namespace_of(obj)}/{name_of(obj)}"
                found[key] = json.dumps(_essence(obj, kind), sort_keys=True)
    return found


def difference(before: Snapshot, after: Snapshot) -> list[str]:
    """What was added, removed or changed, in words."""
    lines = [f"{key} was left behind" for key in sorted(after.keys() - before.keys())]
    lines += [f"{key} is missing" for key in sorted(before.keys() - after.keys())]
    changed = sorted(key for key in before.keys() & after.keys() if before[key] != after[key])
    return lines + [f"{key} was changed: {before[key]} → {after[key]}" for key in changed]


def _list(cluster: Cluster, kind: kinds.Kind) -> list[Object]:
    try:
        items: list[Object] = cluster.api.get(kind.path())["items"]
    except ApiError as error:
        if error.code in (404, 405):  # gone since discovery, or cannot be listed
            return []
        raise
    return items


def _essence(obj: Object, kind: kinds.Kind) -> Any:
    labels = dig(obj, "metadata.labels", {})
    if kind.plural == "secrets":
        return labels  # tokens and keys are renewed
    kept = {key: value for key, value in obj.items() if key not in _UNIMPORTANT}
    return _without_noise({**kept, "labels": labels})


_UNIMPORTANT = {"metadata", "status", "apiVersion", "kind"}


def _without_noise(value: Any) -> Any:
    if isinstance(value, dict):
        cleaned = {key: _without_noise(item) for key, item in value.items() if key not in _NOISE}
        if cleaned.get("annotations") == {}:
            del cleaned["annotations"]
        return {key: item for key, item in cleaned.items() if key != "caBundle"}
    if isinstance(value, list):
        return [_without_noise(item) for item in value]
    return value
