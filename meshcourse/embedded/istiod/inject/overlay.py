"""The user's own ``istio-proxy`` container laid over the injected one.

Source: istio.io "Customizing injection": a container of that name in the pod, with image ``auto`` to
keep ours, changes single fields. Lists merge by the keys of a strategic merge patch.
"""

from __future__ import annotations

from typing import Any

from meshcourse.embedded.kube.objects import Object

_KEYS = {
    "env": "name",
    "ports": "containerPort",
    "volumeMounts": "mountPath",
    "volumes": "name",
}


def container(base: Object, own: Object) -> Object:
    """`base` with everything that `own` sets."""
    kept = {key: value for key, value in own.items() if (key, value) != ("image", "auto")}
    return merge(base, kept)


def merge(base: Object, own: Object) -> Object:
    """Objects merge, lists with a merge key merge by it, everything else is replaced."""
    result = dict(base)
    for key, value in own.items():
        if isinstance(value, dict) and isinstance(result.get(key), dict):
            result[key] = merge(result[key], value)
        elif key in _KEYS and isinstance(result.get(key), list):
            result[key] = _merge_list(result[key], value, _KEYS[key])
        else:
            result[key] = value
    return result


def _merge_list(base: list[Any], own: list[Any], key: str) -> list[Any]:
    mine = {item[key]: item for item in own}
    merged = [{**item, **mine.pop(item[key])} if item[key] in mine else item for item in base]
    return [*merged, *mine.values()]
