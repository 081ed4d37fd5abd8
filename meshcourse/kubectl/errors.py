"""Errors of kubectl itself, printed as ``error: …``, and how it words those of the server."""

from __future__ import annotations

from meshcourse.cluster.errors import ApiError
from meshcourse.errors import MeshcourseError


class KubectlError(MeshcourseError):
    """Wrong usage, or something that the client notices."""

    def __init__(self, message: str, *, code: int = 1) -> None:
        super().__init__(message)
        self.code = code


def server_error(error: ApiError) -> str:
    """``Error from server (NotFound): pods "x" not found``, with kubectl's exceptions to that form."""
    if error.reason == "Unauthorized":
        return "error: You must be logged in to the server (Unauthorized)"
    if error.reason == "Invalid":
        return _invalid(error)
    reason = f" ({error.reason})" if error.reason else ""
    return f"Error from server{reason}: {error.message}"


def _invalid(error: ApiError) -> str:
    """``The Deployment "web" is invalid: spec.x: …``, or a list where there is more than one cause."""
    details = error.status.get("details") or {}
    lines = [f"{cause['field']}: {cause['message']}" for cause in details.get("causes") or []]
    head = f'The {details.get("kind", "request")} "{details.get("name", "")}" is invalid'
    if len(lines) == 1:
        return f"{head}: {lines[0]}"
    return "\n".join([f"{head}: ", *(f"* {line}" for line in lines)])
