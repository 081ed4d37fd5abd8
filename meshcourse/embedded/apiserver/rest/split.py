"""Which parts of an object a write may touch: the main resource, ``status``, ``finalize`` and the like.

Source: the update strategies of the API server. A status update of a custom resource changes nothing but status;
core kinds also let labels and annotations through.
"""

from __future__ import annotations

from meshcourse.embedded.apiserver.rest.call import Call
from meshcourse.embedded.kube.objects import Object

_LOOSE = frozenset({"pods", "nodes", "namespaces", "services"})
_OPEN_METADATA = ("labels", "annotations")


def merge(call: Call, new: Object, old: Object) -> Object:
    """`new` with everything that this call may not write taken from `old`."""
    if call.subresource == "status":
        return _status(call, new, old)
    if call.subresource in ("finalize", "approval"):
        return new
    if call.kind.status:
        return _put(new, "status", old)
    return new


def _put(new: Object, field: str, old: Object) -> Object:
    merged = {key: value for key, value in new.items() if key != field}
    if field in old:
        merged[field] = old[field]
    return merged


def _status(call: Call, new: Object, old: Object) -> Object:
    metadata = dict(old["metadata"])
    written = new["metadata"]
    fields = ["resourceVersion", "managedFields"]
    if call.kind.key in _LOOSE:
        fields += _OPEN_METADATA
    for field in fields:
        if field in written:
            metadata[field] = written[field]
        else:
            metadata.pop(field, None)
    merged = {**old, "metadata": metadata}
    if "status" in new:
        merged["status"] = new["status"]
    return merged
