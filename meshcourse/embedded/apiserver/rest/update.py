"""PUT and the common end of every PATCH: compare, admit, validate, replace."""

from __future__ import annotations

from collections.abc import Callable

from meshcourse.embedded.apiserver import strategy
from meshcourse.embedded.apiserver.admission.attributes import Attributes
from meshcourse.embedded.apiserver.core import Core
from meshcourse.embedded.apiserver.registry import conversion
from meshcourse.embedded.apiserver.rest import delete, metadata, ownership, read, split
from meshcourse.embedded.apiserver.rest.call import Call
from meshcourse.embedded.apiserver.store.store import Changed
from meshcourse.embedded.kube import objects, refs, status
from meshcourse.embedded.kube.objects import Object
from meshcourse.embedded.kube.status import Cause

#: From the current object to the new one with its managed fields. Must not change its argument.
Change = Callable[[Object], Object]

_ATTEMPTS = 5


async def update(core: Core, call: Call, obj: Object) -> Object:
    """Replace the object that the call names by `obj` (which the caller hands over)."""
    metadata.check_body(call, obj)
    schema = strategy.schema(call.kind)
    call.warnings += schema.decode(obj, mode=call.options.field_validation)
    schema.default(obj)
    _check_versioned(call, obj)

    def change(old: Object) -> Object:
        new = objects.clone(obj)
        metadata.inherit(call, new, old)
        new = split.merge(call, new, old)
        ownership.updated(call, new, old)
        return new

    return await change_object(core, call, change)


def _check_versioned(call: Call, obj: Object) -> None:
    """Custom resources must say which version they replace."""
    if call.kind.crd is not None and not objects.meta(obj).get("resourceVersion"):
        cause = Cause(
            "FieldValueInvalid",
            "Invalid value: 0x0: must be specified for an update",
            "metadata.resourceVersion",
        )
        raise status.invalid(call.resource, call.name, [cause])


async def change_object(core: Core, call: Call, change: Change) -> Object:
    """Apply `change` to the current object and store the result.

    While webhooks were asked somebody else may have written. Then `change` is applied again to what is there now:
    if it insists on a version (``resourceVersion``), that is where it fails with 409.
    """
    for _ in range(_ATTEMPTS):
        old = read.get(core, call)
        new = change(old)
        metadata.check_version(call, str(objects.meta(new).get("resourceVersion") or ""), old)
        try:
            return await _replace(core, call, new, old)
        except Changed:
            continue
    raise status.conflict(call.resource, call.name)


async def _replace(core: Core, call: Call, new: Object, old: Object) -> Object:
    attributes = Attributes(call, "UPDATE", new, old)
    await core.chain.mutate(attributes)
    assert attributes.object is not None
    new = split.merge(call, attributes.object, old)
    if call.subresource not in split.BOOKKEEPING:
        strategy.schema(call.kind).default(new)
        if (
            call.subresource != "finalize"
        ):  # the one write that may take a namespace's finalizers off
            strategy.prepare_update(call.kind, new, old)
    _validate(call, new, old)
    attributes.object = new
    service = call.kind.key == refs.SERVICES.qualified and not call.subresource
    if service:
        core.services.allocate(new, old)
    try:
        await core.chain.validate(attributes)
        return _store(core, call, new, old)
    except BaseException:
        if service:
            core.services.release(new, but=old)
        raise


def _validate(call: Call, new: Object, old: Object) -> None:
    causes = strategy.validate(call.kind, new, old)
    if causes:
        raise status.invalid(call.resource, objects.name(old), causes)


def _store(core: Core, call: Call, new: Object, old: Object) -> Object:
    if _same(new, old):
        return old
    current = read.stored(core, call)
    stored = conversion.to_storage(call.kind, new)
    if current["metadata"]["resourceVersion"] != old["metadata"]["resourceVersion"]:
        raise Changed(call.name)
    if call.options.dry_run:
        return new
    if delete.finished(stored):
        return conversion.from_storage(call.kind, core.store.remove(call.kind.key, current))
    return conversion.from_storage(call.kind, core.store.replace(call.kind.key, stored, current))


def _same(new: Object, old: Object) -> bool:
    """Nothing but the version given by the store may differ."""
    before, after = dict(old["metadata"]), dict(new["metadata"])
    before.pop("resourceVersion", None)
    after.pop("resourceVersion", None)
    return before == after and {**new, "metadata": None} == {**old, "metadata": None}
