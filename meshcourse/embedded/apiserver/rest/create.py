"""POST: decode, default, admit, validate, store."""

from __future__ import annotations

from meshcourse.embedded.apiserver import strategy
from meshcourse.embedded.apiserver.admission.attributes import Attributes
from meshcourse.embedded.apiserver.core import Core
from meshcourse.embedded.apiserver.registry import conversion
from meshcourse.embedded.apiserver.rest import metadata, ownership
from meshcourse.embedded.apiserver.rest.call import Call
from meshcourse.embedded.apiserver.store.store import Changed
from meshcourse.embedded.kube import objects, refs, status
from meshcourse.embedded.kube.objects import Object

_NAME_ATTEMPTS = 8


async def create(core: Core, call: Call, obj: Object) -> Object:
    """Create `obj` (which the caller hands over). Returns it as stored, in the version of the call."""
    metadata.check_body(call, obj)
    _check_defined(call)
    schema = strategy.schema(call.kind)
    call.warnings += schema.decode(obj, mode=call.options.field_validation)
    metadata.check_new(obj)
    schema.default(obj)
    ownership.created(call, obj)
    return await insert(core, call, obj)


async def insert(core: Core, call: Call, obj: Object) -> Object:
    """Admit, validate and store a decoded object with its managed fields (also from server-side apply)."""
    metadata.initialise(call, obj)
    attributes = Attributes(call, "CREATE", obj)
    await core.chain.mutate(attributes)
    obj = _settled(call, attributes)
    metadata.name_new(call, obj)
    strategy.prepare_create(call.kind, obj)
    _validate(call, obj)
    return await _store(core, attributes, obj)


def _check_defined(call: Call) -> None:
    """Nothing new of a custom kind whose definition is going away."""
    if call.kind.crd is not None and objects.deleting(call.kind.crd):
        why = "create not allowed while custom resource definition is terminating"
        raise status.ApiError(405, "MethodNotAllowed", why, {})


def _settled(call: Call, attributes: Attributes) -> Object:
    """The object after admission, with the defaults of what webhooks have added."""
    obj = attributes.object
    assert obj is not None
    strategy.schema(call.kind).default(obj)
    return obj


def _validate(call: Call, obj: Object) -> None:
    causes = strategy.validate(call.kind, obj, None)
    if causes:
        raise status.invalid(call.resource, objects.name(obj), causes)


async def _store(core: Core, attributes: Attributes, obj: Object) -> Object:
    call = attributes.call
    service = call.kind.key == refs.SERVICES.qualified
    if service:
        core.services.allocate(obj, None)
    try:
        attributes.object = obj
        await core.chain.validate(attributes)
        return _insert(core, call, obj)
    except BaseException:
        if service:
            core.services.release(obj)
        raise
    finally:
        if service and call.options.dry_run:
            core.services.release(obj)


def _insert(core: Core, call: Call, obj: Object) -> Object:
    stored = conversion.to_storage(call.kind, obj)
    generated = bool(obj["metadata"].get("generateName")) and not call.name
    for _ in range(_NAME_ATTEMPTS):
        try:
            return _add(core, call, stored)
        except Changed:
            if not generated:
                break
            stored["metadata"]["name"] = ""
            metadata.name_new(call, stored)
    raise status.already_exists(call.resource, objects.name(stored))


def _add(core: Core, call: Call, stored: Object) -> Object:
    if call.options.dry_run:
        if core.store.get(call.kind.key, *objects.key(stored)) is not None:
            raise Changed(objects.name(stored))
        return conversion.from_storage(call.kind, stored)
    return conversion.from_storage(call.kind, core.store.add(call.kind.key, stored))
