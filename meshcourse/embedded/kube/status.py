"""Errors as a Kubernetes API server reports them: one exception that renders a ``Status``.

Source: Kubernetes API conventions ("Response Status Kind"), apimachinery's error constructors. ``details.kind`` is
the plural resource, except for Invalid, where it is the Kind.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from meshcourse.embedded.kube import refs
from meshcourse.embedded.kube.objects import Object
from meshcourse.errors import MeshcourseError


@dataclass(frozen=True, slots=True)
class Cause:
    """One field that was wrong: machine-readable reason, message without the path, dotted field path."""

    reason: str
    message: str
    field: str


class ApiError(MeshcourseError):
    """A failed API call.

    :param code: HTTP status code.
    :param reason: machine-readable reason (``NotFound``, ``Conflict``, ``Invalid`` …).
    :param details: ``status.details`` or None.
    """

    def __init__(
        self, code: int, reason: str, message: str, details: dict[str, Any] | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.details = details

    def to_status(self) -> Object:
        """The ``Status`` object that goes over the wire."""
        status: Object = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
        }
        if self.reason:
            status["reason"] = self.reason
        if self.details is not None:
            status["details"] = self.details
        status["code"] = self.code
        return status


def from_status(status: Object) -> ApiError:
    """The error that a ``Status`` received from a server stands for."""
    return ApiError(
        int(status.get("code") or 500),
        str(status.get("reason") or "Unknown"),
        str(status.get("message") or "unknown error"),
        status.get("details"),
    )


def _details(resource: refs.Resource, name: str, **more: Any) -> dict[str, Any]:
    found: dict[str, Any] = {"name": name} if name else {}
    if resource.group:
        found["group"] = resource.group
    return {**found, "kind": resource.plural, **more}


def not_found(resource: refs.Resource, name: str) -> ApiError:
    return ApiError(
        404, "NotFound", f'{resource.qualified} "{name}" not found', _details(resource, name)
    )


def already_exists(resource: refs.Resource, name: str) -> ApiError:
    return ApiError(
        409,
        "AlreadyExists",
        f'{resource.qualified} "{name}" already exists',
        _details(resource, name),
    )


def conflict(resource: refs.Resource, name: str, why: str = "") -> ApiError:
    why = why or (
        "the object has been modified; please apply your changes to the latest version and try again"
    )
    return ApiError(
        409,
        "Conflict",
        f'Operation cannot be fulfilled on {resource.qualified} "{name}": {why}',
        _details(resource, name),
    )


def invalid(resource: refs.Resource, name: str, causes: Sequence[Cause]) -> ApiError:
    texts = [f"{cause.field}: {cause.message}" for cause in causes]
    joined = texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
    kind = f"{resource.kind}.{resource.group}" if resource.group else resource.kind
    details: dict[str, Any] = {"name": name}
    if resource.group:
        details["group"] = resource.group
    details["kind"] = resource.kind
    details["causes"] = [
        {"reason": cause.reason, "message": cause.message, "field": cause.field} for cause in causes
    ]
    return ApiError(422, "Invalid", f'{kind} "{name}" is invalid: {joined}', details)


def bad_request(message: str) -> ApiError:
    return ApiError(400, "BadRequest", message)


def unauthorized() -> ApiError:
    return ApiError(401, "Unauthorized", "Unauthorized")


def forbidden(resource: refs.Resource, name: str, why: str) -> ApiError:
    quoted = f' "{name}"' if name else ""
    return ApiError(
        403,
        "Forbidden",
        f"{resource.qualified}{quoted} is forbidden: {why}",
        _details(resource, name),
    )


def gone(message: str) -> ApiError:
    """410 Expired: the resourceVersion asked for is too old; list again."""
    return ApiError(410, "Expired", message)


def unsupported_media_type(message: str) -> ApiError:
    return ApiError(415, "UnsupportedMediaType", message)


def method_not_allowed(resource: refs.Resource, verb: str) -> ApiError:
    return ApiError(
        405,
        "MethodNotAllowed",
        "the server does not allow this method on the requested resource",
        _details(resource, "", causes=[]) if verb else None,
    )


def internal(message: str) -> ApiError:
    return ApiError(500, "InternalError", f"Internal error occurred: {message}")
