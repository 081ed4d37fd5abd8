"""Field ownership (``metadata.managedFields``) of what calls write. The sets are computed by `kube.patches`."""

from __future__ import annotations

from meshcourse.embedded.apiserver.rest.call import Call
from meshcourse.embedded.kube import objects
from meshcourse.embedded.kube.objects import Object


def created(call: Call, obj: Object) -> None:
    """A new object: everything in it belongs to the call's manager."""
    objects.meta(obj).pop("managedFields", None)


def updated(call: Call, obj: Object, old: Object) -> None:
    """An update: what differs from `old` belongs to the call's manager."""
    if "managedFields" in old["metadata"]:
        obj["metadata"].setdefault("managedFields", old["metadata"]["managedFields"])
