"""PATCH: from the current object and a patch to the new object."""

from __future__ import annotations

from typing import Any, Literal

from meshcourse.embedded.apiserver import strategy
from meshcourse.embedded.apiserver.core import Core
from meshcourse.embedded.apiserver.rest import metadata, ownership, split
from meshcourse.embedded.apiserver.rest.apply import apply
from meshcourse.embedded.apiserver.rest.call import Call
from meshcourse.embedded.apiserver.rest.update import change_object
from meshcourse.embedded.kube import objects, status
from meshcourse.embedded.kube.objects import Object
from meshcourse.embedded.kube.patches import jsonpatch, merge, strategic
from meshcourse.embedded.kube.patches.errors import PatchError, PatchFailed
from meshcourse.embedded.kube.status import ApiError

PatchKind = Literal["json", "merge", "strategic", "apply"]

_ACCEPTED = (
    "the body of the request was in an unknown format - accepted media types include: "
    "application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml"
)


async def patch(core: Core, call: Call, body: Any, kind: PatchKind) -> tuple[Object, bool]:
    """Patch the object that the call names. Returns it, and whether it is new (server-side apply only)."""
    if kind == "apply":
        return await apply(core, call, body)
    if kind == "strategic" and call.kind.crd is not None:
        raise status.unsupported_media_type(_ACCEPTED)
    seen: set[str] = set()

    def change(old: Object) -> Object:
        new = objects.clone(_compute(call, old, body, kind))
        _warn(call, _decode(call, new, body), seen)
        return _settle(call, new, old)

    return await change_object(core, call, change), False


def _compute(call: Call, old: Object, body: Any, kind: PatchKind) -> Object:
    """The object that a patch makes of `old`.

    :raises ApiError: 400 or 422 if it cannot.
    """
    try:
        if kind == "json":
            changed = jsonpatch.apply(old, body)
        elif kind == "merge":
            changed = merge.apply(old, body)
        else:
            changed = strategic.apply(old, body, strategy.schema(call.kind).structure)
    except PatchError as error:
        raise status.bad_request(f"error decoding patch: {error}") from None
    except PatchFailed as error:
        raise _rejected() from error
    if not isinstance(changed, dict):
        raise status.bad_request("error decoding patch: the result is not an object")
    return changed


def _rejected() -> ApiError:
    text = "the server rejected our request due to an error in our request"
    return ApiError(422, "Invalid", text, {})


def _decode(call: Call, new: Object, body: Any) -> list[str]:
    """Decode the patched object; errors speak of the patch, as those of the API server do."""
    schema = strategy.schema(call.kind)
    try:
        warnings = schema.decode(new, mode=call.options.field_validation)
    except ApiError as error:
        if call.kind.crd is not None:
            raise
        detail = error.message.partition(f"cannot be handled as a {call.resource.kind}: ")[2]
        raise invalid_patch(body, detail or error.message) from None
    schema.default(new)
    return warnings


def invalid_patch(body: Any, detail: str) -> ApiError:
    """422 that names the patch as the field that is wrong."""
    message = f'Invalid value: "{strategic.go_text(body)}": {detail}'
    causes = [{"reason": "FieldValueInvalid", "message": message, "field": "patch"}]
    return ApiError(422, "Invalid", f' "" is invalid: patch: {message}', {"causes": causes})


def _warn(call: Call, warnings: list[str], seen: set[str]) -> None:
    """A change may be computed several times; warn once."""
    call.warnings += [text for text in warnings if text not in seen]
    seen.update(warnings)


def _settle(call: Call, new: Object, old: Object) -> Object:
    version = objects.meta(new).get("resourceVersion")
    metadata.check_body(call, new)
    metadata.inherit(call, new, old)
    new["metadata"]["resourceVersion"] = version
    merged = split.merge(call, new, old)
    ownership.updated(call, merged, old)
    return merged
