"""Recognising refusals of the API server that a controller expects."""

from __future__ import annotations

from meshcourse.embedded.kube.status import ApiError


def namespace_is_terminating(error: ApiError) -> bool:
    """A create in a namespace that is being deleted: nothing to repeat or report."""
    causes = (error.details or {}).get("causes") or []
    if any(cause.get("reason") == "NamespaceTerminating" for cause in causes):
        return True
    return error.code == 403 and "being terminated" in error.message


def is_gone(error: ApiError) -> bool:
    return error.code == 404
