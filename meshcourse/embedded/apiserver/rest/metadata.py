"""The part of an object that belongs to the system: identity, time stamps, versions, names.

Source: apimachinery's ``rest.BeforeCreate`` and ``rest.BeforeUpdate``.
"""

from __future__ import annotations

import random
import uuid
from typing import Final

from meshcourse.embedded.apiserver.rest.call import Call
from meshcourse.embedded.kube import objects, status
from meshcourse.embedded.kube.objects import Object
from meshcourse.embedded.kube.status import Cause

#: Letters and digits that form no words.
SUFFIX_ALPHABET: Final = "bcdfghjklmnpqrstvwxz2456789"
_SUFFIX_LENGTH = 5
_LONGEST_BASE = 63 - _SUFFIX_LENGTH
_SYSTEM_FIELDS = (
    "uid",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "generation",
    "selfLink",
)


def suffix() -> str:
    """The random end of a generated name."""
    return "".join(random.choices(SUFFIX_ALPHABET, k=_SUFFIX_LENGTH))


def check_body(call: Call, obj: Object) -> None:
    """Does the body belong to this URL?

    :raises ApiError: 400 if kind or namespace say otherwise.
    """
    resource = call.resource
    if call.kind.crd is None and not obj.get("kind") and not obj.get("apiVersion"):
        # Typed clients leave out what the URL of a built-in kind says already.
        obj["apiVersion"], obj["kind"] = resource.api_version, resource.kind
    kind, version = obj.get("kind"), obj.get("apiVersion")
    if (version, kind) != (resource.api_version, resource.kind):
        raise status.bad_request(_mismatch(call, str(kind or ""), str(version or "")))
    meta = obj.get("metadata")
    if meta is None:
        obj["metadata"] = meta = {}
    if not isinstance(meta, dict):
        return  # the schema says it better
    _check_namespace(call, meta)


def _mismatch(call: Call, kind: str, version: str) -> str:
    resource = call.resource
    if not kind:
        return f"Object 'Kind' is missing in the body of a request for {resource.qualified}"
    return (
        f"the API version in the data ({version}) does not match the expected API version "
        f"({resource.api_version})"
        if kind == resource.kind
        else f'{kind} in version "{version.rpartition("/")[2]}" cannot be handled as a '
        f'{resource.kind}: no kind "{kind}" is registered for version "{resource.api_version}"'
    )


def _check_namespace(call: Call, meta: Object) -> None:
    if not call.resource.namespaced:
        meta.pop("namespace", None)
        return
    if not meta.get("namespace"):
        meta["namespace"] = call.namespace
    elif meta["namespace"] != call.namespace:
        raise status.bad_request(
            "the namespace of the provided object does not match the namespace sent on the request"
        )


def check_new(obj: Object) -> None:
    """:raises ApiError: 400 if somebody creates an object that says it was stored before."""
    if objects.meta(obj).get("resourceVersion"):
        raise status.bad_request("resourceVersion should not be set on objects to be created")


def initialise(call: Call, obj: Object) -> None:
    """Fresh identity and, if needed, a generated name; in place."""
    meta = objects.meta(obj)
    for field in (*_SYSTEM_FIELDS, "resourceVersion"):
        meta.pop(field, None)
    meta["uid"] = str(uuid.uuid4())
    meta["creationTimestamp"] = objects.now()


def name_new(call: Call, obj: Object) -> None:
    """Generate the name where only ``generateName`` is given.

    :raises ApiError: 422 if neither is.
    """
    meta = objects.meta(obj)
    if not meta.get("name") and meta.get("generateName"):
        meta["name"] = str(meta["generateName"])[:_LONGEST_BASE] + suffix()
    if not meta.get("name"):
        cause = Cause(
            "FieldValueRequired",
            "Required value: name or generateName is required",
            "metadata.name",
        )
        raise status.invalid(call.resource, "", [cause])


def inherit(call: Call, obj: Object, old: Object) -> None:
    """What an update cannot change, from `old`, in place.

    :raises ApiError: 400 for another name, 409 for another uid.
    """
    meta, before = objects.meta(obj), old["metadata"]
    if meta.get("name") != before["name"]:
        raise status.bad_request(
            f"the name of the object ({meta.get('name') or ''}) does not match the name on the URL "
            f"({before['name']})"
        )
    check_uid(call, str(meta.get("uid") or ""), old)
    for field in _SYSTEM_FIELDS:
        if field in before:
            meta[field] = before[field]
        else:
            meta.pop(field, None)


def check_uid(call: Call, uid: str, old: Object) -> None:
    """:raises ApiError: 409 if `uid` is given and is not that of `old`."""
    if uid and uid != objects.uid(old):
        why = (
            f"Precondition failed: UID in precondition: {uid}, UID in object meta: "
            f"{objects.uid(old)}"
        )
        raise status.conflict(call.resource, objects.name(old), why)


def check_version(call: Call, version: str, old: Object) -> None:
    """:raises ApiError: 409 if `version` is given and is not that of `old`."""
    if version and version != old["metadata"]["resourceVersion"]:
        raise status.conflict(call.resource, objects.name(old))
