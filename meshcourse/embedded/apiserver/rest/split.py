"""Which parts of an object a write may touch: the main resource, ``status``, ``finalize`` and the like.

Source: the update strategies of the API server. A status update of a custom resource changes nothing but status;
core kinds also let labels and annotations through.
"""

from __future__ import annotations

from meshcourse.embedded.apiserver.rest.call import Call
from meshcourse.embedded.kube import refs
from meshcourse.embedded.kube.objects import Object

_LOOSE = frozenset({"pods", "nodes", "namespaces", "services"})
_OPEN_METADATA = ("labels", "annotations")
#: Subresources through which the whole object is written (rules of the kind decide what may change).
_WHOLE = frozenset({"finalize", "approval"})
_IDENTITY = ("apiVersion", "kind", "metadata")


def merge(call: Call, new: Object, old: Object) -> Object:
    """`new` with everything that this call may not write taken from `old`."""
    if call.subresource == "status":
        return _status(call, new, old)
    if call.subresource in _WHOLE or not call.kind.status:
        return new
    merged = {field: value for field, value in new.items() if field != "status"}
    if "status" in old:
        merged["status"] = old["status"]
    return merged


def writable(call: Call, config: Object) -> Object:
    """The part of an applied configuration that this call may write (and own)."""
    if call.subresource == "status":
        kept = {field: value for field, value in config.items() if field in (*_IDENTITY, "status")}
        return {**kept, "metadata": _identity(config["metadata"])}
    if call.kind.status and call.subresource not in _WHOLE:
        return {field: value for field, value in config.items() if field != "status"}
    return config


def _identity(meta: Object) -> Object:
    wanted = ("name", "namespace", "uid", "resourceVersion")
    return {field: meta[field] for field in wanted if field in meta}


def _status(call: Call, new: Object, old: Object) -> Object:
    metadata = dict(old["metadata"])
    written = new["metadata"]
    fields = ["resourceVersion", "managedFields"]
    if call.kind.key in _LOOSE:
        fields += _OPEN_METADATA
    elif call.kind.key == refs.DEPLOYMENTS.qualified:
        fields.append(
            "annotations"
        )  # how the controller writes the revision without a new generation
    for field in fields:
        if field in written:
            metadata[field] = written[field]
        else:
            metadata.pop(field, None)
    merged = {**old, "metadata": metadata}
    if "status" in new:
        merged["status"] = new["status"]
    return merged
