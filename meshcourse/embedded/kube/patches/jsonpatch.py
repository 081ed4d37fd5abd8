"""JSON patch. Source: RFC 6902; messages as far as clients show them."""

from __future__ import annotations

from typing import Any

import jsonpatch as library
import jsonpointer

from meshcourse.embedded.kube import objects
from meshcourse.embedded.kube.patches.errors import PatchError, PatchFailed


def apply(target: Any, patch: Any) -> Any:
    """`target` changed by the operations of `patch`; neither is modified.

    :raises PatchError: if `patch` is no list of operations.
    :raises PatchFailed: if an operation cannot be done or a ``test`` fails.
    """
    if not isinstance(patch, list):
        raise PatchError(
            "json: cannot unmarshal object into Go value of type jsonpatch.Patch"
            if isinstance(patch, dict)
            else "json: cannot unmarshal value into Go value of type jsonpatch.Patch"
        )
    try:
        changed: Any = library.JsonPatch(objects.clone(patch)).apply(objects.clone(target))
    except library.InvalidJsonPatch as error:
        raise PatchError(str(error)) from None
    except (library.JsonPatchException, jsonpointer.JsonPointerException) as error:
        raise PatchFailed(str(error)) from None
    return changed
