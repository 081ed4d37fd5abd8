"""Lists of status conditions. Source: Kubernetes API conventions, "Typical status properties"."""

from __future__ import annotations

from collections.abc import Sequence

from meshcourse.embedded.kube import objects
from meshcourse.embedded.kube.objects import Object


def find(conditions: Sequence[Object], type_: str) -> Object | None:
    return next((c for c in conditions if c.get("type") == type_), None)


def is_true(conditions: Sequence[Object], type_: str) -> bool:
    found = find(conditions, type_)
    return found is not None and found.get("status") == "True"


def without(conditions: Sequence[Object], type_: str) -> list[Object]:
    return [c for c in conditions if c.get("type") != type_]


def put(
    conditions: Sequence[Object], type_: str, status: str, reason: str, message: str, **more: str
) -> list[Object]:
    """The list with this condition, in its place; the same list if status, reason and message are.

    ``lastTransitionTime`` moves only when `status` changes.

    :param more: further fields, for example ``lastUpdateTime``; they do not count as a change.
    """
    old = find(conditions, type_)
    if old and (old["status"], old.get("reason"), old.get("message")) == (status, reason, message):
        return list(conditions)
    same = old is not None and old["status"] == status
    since = old["lastTransitionTime"] if old is not None and same else objects.now()
    fresh = {"type": type_, "status": status, **more, "lastTransitionTime": since}
    fresh |= {"reason": reason, "message": message}
    if old is None:
        return [*conditions, fresh]
    return [fresh if condition is old else condition for condition in conditions]
