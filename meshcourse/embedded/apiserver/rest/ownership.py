"""Field ownership (``metadata.managedFields``) of what calls write. The sets are computed by `kube.patches.managed`.

Source: apimachinery's field manager, as the handlers of create, update and patch use it.
"""

from __future__ import annotations

from meshcourse.embedded.apiserver import strategy
from meshcourse.embedded.apiserver.rest.call import Call
from meshcourse.embedded.kube import objects
from meshcourse.embedded.kube.objects import Object
from meshcourse.embedded.kube.patches import managed
from meshcourse.embedded.kube.patches.managed import Manager, Owner

#: What a client sends to have the record wiped.
_RESET: list[Object] = [{}]


def created(call: Call, obj: Object) -> None:
    """A new object: everything in it belongs to the call's manager. In place."""
    objects.meta(obj).pop("managedFields", None)
    structure = strategy.schema(call.kind).structure
    before: Object = {}
    if call.kind.crd is None:
        before = managed.before_creation(obj, structure)
    _update(call, obj, before, [])


def updated(call: Call, obj: Object, old: Object) -> None:
    """An update: what differs from `old` belongs to the call's manager. In place."""
    _update(call, obj, old, _known(call, obj, old))


def _known(call: Call, obj: Object, old: Object) -> list[Owner]:
    """The record to start from: what the client sends counts, so that it can correct or wipe it."""
    sent = objects.meta(obj).get("managedFields")
    if sent == _RESET and not call.subresource:
        return []
    mine = [] if call.subresource else managed.read(sent)
    return mine or managed.read(old["metadata"].get("managedFields"))


def _update(call: Call, obj: Object, old: Object, owners: list[Owner]) -> None:
    structure = strategy.schema(call.kind).structure
    manager = Manager(call.manager, "Update", call.resource.api_version, call.subresource)
    after = managed.update(bare(old), bare(obj), owners, structure, manager, objects.now())
    record(obj, after)


def record(obj: Object, owners: list[Owner]) -> None:
    """Write owners into an object; in place."""
    entries = managed.render(owners)
    objects.meta(obj).pop("managedFields", None)
    if entries:
        obj["metadata"]["managedFields"] = entries


def bare(obj: Object) -> Object:
    """An object without its record of owners."""
    meta = {name: value for name, value in objects.meta(obj).items() if name != "managedFields"}
    return {**obj, "metadata": meta}
