"""What can be wrong with a patch, independent of the object that it is meant for."""

from __future__ import annotations

from meshcourse.errors import MeshcourseError


class PatchError(MeshcourseError):
    """The patch is malformed (400)."""


class PatchFailed(MeshcourseError):
    """The patch is well-formed, but cannot be applied to this object (422)."""
