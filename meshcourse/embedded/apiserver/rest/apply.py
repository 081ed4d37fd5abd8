"""Server-side apply: PATCH with ``application/apply-patch+yaml``."""

from __future__ import annotations

import json
from typing import Any

from meshcourse.embedded.apiserver import strategy
from meshcourse.embedded.apiserver.core import Core
from meshcourse.embedded.apiserver.rest import create, metadata, ownership, split
from meshcourse.embedded.apiserver.rest.call import Call
from meshcourse.embedded.apiserver.rest.update import change_object
from meshcourse.embedded.kube import objects, status
from meshcourse.embedded.kube.objects import Object
from meshcourse.embedded.kube.patches import fieldset, managed, typed
from meshcourse.embedded.kube.patches.fieldset import FieldSet
from meshcourse.embedded.kube.patches.managed import ApplyConflict, Conflict, Manager, Owner
from meshcourse.embedded.kube.status import ApiError

_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_ATTEMPTS = 3


async def apply(core: Core, call: Call, config: Any) -> tuple[Object, bool]:
    """Apply a configuration. Returns the object and whether it is new.

    :raises ApiError: 409 for conflicts with other managers, in Kubernetes' words.
    """
    config = _checked(call, config)
    for attempt in range(_ATTEMPTS):
        exists = core.store.get(call.kind.key, call.namespace, call.name) is not None
        try:
            if exists or call.subresource:
                return await change_object(
                    core, call, lambda old: _change(call, old, config)
                ), False
            return await _create(core, call, config), True
        except ApiError as error:  # created or deleted by somebody else in between
            lost = error.reason == ("NotFound" if exists else "AlreadyExists")
            if not lost or call.subresource or attempt == _ATTEMPTS - 1:
                raise
    raise status.conflict(call.resource, call.name)


def _checked(call: Call, config: Any) -> Object:
    """The configuration, decoded and reduced to what this call may write."""
    if not call.options.field_manager:
        raise _manager_required()
    if not isinstance(config, dict):
        raise status.bad_request("error decoding YAML: the configuration is not an object")
    for field in ("kind", "apiVersion"):
        if not config.get(field):
            raise status.bad_request(f"Object '{field[0].upper()}{field[1:]}' is missing")
    config = _without_nulls(objects.clone(config))
    metadata.check_body(call, config)
    call.warnings += strategy.schema(call.kind).decode(config, mode=call.options.field_validation)
    meta = objects.meta(config)
    if meta.get("managedFields"):
        raise status.bad_request("metadata.managedFields must be nil")
    if meta.setdefault("name", call.name) != call.name:
        raise status.bad_request(
            f"the name of the object ({meta['name']}) does not match the name on the URL "
            f"({call.name})"
        )
    return split.writable(call, config)


def _manager_required() -> ApiError:
    text = "Required value: is required for apply patch"
    cause = {"reason": "FieldValueRequired", "message": text, "field": "fieldManager"}
    details = {"group": "meta.k8s.io", "kind": "PatchOptions", "causes": [cause]}
    message = f'PatchOptions.meta.k8s.io "" is invalid: fieldManager: {text}'
    return ApiError(422, "Invalid", message, details)


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _without_nulls(found) for k, found in value.items() if found is not None}
    if isinstance(value, list):
        return [_without_nulls(found) for found in value]
    return value


async def _create(core: Core, call: Call, config: Object) -> Object:
    meta = config["metadata"]
    if meta.get("uid"):
        raise status.conflict(
            call.resource,
            call.name,
            f"uid mismatch: the provided object specified uid {meta['uid']}, and no existing "
            "object was found",
        )
    obj, owners = _applied(call, {}, config, [])
    strategy.schema(call.kind).default(obj)
    ownership.record(obj, owners)
    return await create.insert(core, call, obj)


def _change(call: Call, old: Object, config: Object) -> Object:
    metadata.check_version(call, str(config["metadata"].get("resourceVersion") or ""), old)
    metadata.check_uid(call, str(config["metadata"].get("uid") or ""), old)
    owners = managed.read(old["metadata"].get("managedFields"))
    live = ownership.bare(old)
    if not owners:
        owners = [_before_first_apply(call, live)]
    merged, after = _applied(call, live, config, owners)
    new = objects.clone(merged)
    _refresh_last_applied(call, new, config)
    strategy.schema(call.kind).default(new)
    metadata.inherit(call, new, old)
    new["metadata"]["resourceVersion"] = old["metadata"]["resourceVersion"]
    ownership.record(new, after)
    return split.merge(call, new, old)


def _before_first_apply(call: Call, live: Object) -> Owner:
    """Whoever wrote the object before ownership was recorded."""
    fields = typed.field_set(live, strategy.schema(call.kind).structure)
    version = call.resource.api_version
    manager = Manager(managed.BEFORE_FIRST_APPLY, "Update", version)
    return Owner(manager, fields - managed.STRIPPED, objects.now())


def _applied(
    call: Call, live: Object, config: Object, owners: list[Owner]
) -> tuple[Object, list[Owner]]:
    try:
        return _apply(call, live, config, owners, force=call.options.force)
    except ApplyConflict as conflict:
        excused = _from_client_side(call, live)
        serious = [found for found in conflict.conflicts if found.path not in excused]
        if serious:
            raise _refused(serious) from None
        return _apply(call, live, config, owners, force=True)


def _apply(
    call: Call, live: Object, config: Object, owners: list[Owner], *, force: bool
) -> tuple[Object, list[Owner]]:
    structure = strategy.schema(call.kind).structure
    manager = Manager(call.manager, "Apply", call.resource.api_version, call.subresource)
    wanted = {**config, "metadata": dict(config["metadata"])}
    for field in ("uid", "resourceVersion"):  # preconditions, not configuration
        wanted["metadata"].pop(field, None)
    return managed.apply(live, wanted, owners, structure, manager, objects.now(), force=force)


def _from_client_side(call: Call, live: Object) -> FieldSet:
    """What kubectl may take over from its own client-side applies: fields still as it applied them."""
    text = objects.annotations_of(live).get(_LAST_APPLIED)
    if call.manager != "kubectl" or not text:
        return frozenset()
    try:
        last = json.loads(text)
    except json.JSONDecodeError:
        return frozenset()
    structure = strategy.schema(call.kind).structure
    change = typed.compare(last, live, structure)
    different = change.modified | change.added | change.removed
    return typed.field_set(last, structure) - different


def _refresh_last_applied(call: Call, new: Object, config: Object) -> None:
    """Keep kubectl's annotation true, where there is one, so that client-side apply still works."""
    notes = objects.annotations_of(new)
    if call.manager != "kubectl" or _LAST_APPLIED not in notes:
        return
    notes[_LAST_APPLIED] = json.dumps(config, separators=(",", ":")) + "\n"


def _refused(conflicts: list[Conflict]) -> ApiError:
    causes = [
        {
            "reason": "FieldManagerConflict",
            "message": f"conflict with {managed.describe(found.owner)}",
            "field": fieldset.text(found.path),
        }
        for found in conflicts
    ]
    return ApiError(409, "Conflict", managed.message(conflicts), {"causes": causes})
