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
_WHOLE = frozenset({"finalize", "approval", "binding"})
#: Subresources that are no change of what is wanted: no defaults, no new generation.
BOOKKEEPING = frozenset({"status", "binding"})
_IDENTITY = ("apiVersion", "kind", "metadata")


def merge(call: Call, new: Object, old: Object) -> Object:
    """`new` with everything that this call may not write taken from `old`."""
    if call.subresource == "status":
        return _status(call, new, old)
    if call.subresource in _WHOLE or not call.kind.status:
        return new
    merged = _with(new, "status", old)
    if call.kind.key == "pods":
        return _pod(call, merged, old)
    return merged


def _with(obj: Object, field: str, source: Object) -> Object:
    """A copy of `obj` with one field as `source` has it."""
    copied = {name: value for name, value in obj.items() if name != field}
    if field in source:
        copied[field] = source[field]
    return copied


def _pod(call: Call, new: Object, old: Object) -> Object:
    """Ephemeral containers have a door of their own, and nothing else goes through it."""
    field = "ephemeralContainers"
    if call.subresource == "ephemeralcontainers":
        spec = _with(old["spec"], field, new["spec"])
        return {**old, "metadata": new["metadata"], "spec": spec}
    return {**new, "spec": _with(new["spec"], field, old["spec"])}


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
