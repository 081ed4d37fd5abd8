"""What the core of the API server asks of its neighbours ``schemas``, ``validation``, ``tables``, ``protobuf``.

The core reaches them only through this module, so that each stays replaceable and is imported when first needed.
"""

from __future__ import annotations

from typing import Literal, Protocol

from meshcourse.embedded.kube.objects import Object
from meshcourse.embedded.kube.patches.meta import Structure
from meshcourse.embedded.kube.status import Cause

#: What happens to unknown and duplicate fields (query parameter ``fieldValidation``).
FieldValidation = Literal["Strict", "Warn", "Ignore"]


class Schema(Protocol):
    """The schema of one served version of one kind.

    Made by ``schemas.for_builtin(resource)`` and ``schemas.for_crd(crd, version)``.
    """

    @property
    def structure(self) -> Structure:
        """Merge keys and list types, for strategic merge patch and server-side apply."""
        ...

    def decode(self, obj: Object, *, mode: FieldValidation) -> list[str]:
        """Prune unknown fields in place and return warnings (``unknown field "spec.x"``, only in mode Warn).

        :raises ApiError: 400 in Kubernetes' words for a wrong type (any mode, built-in kinds) and, in mode Strict,
            for unknown fields: ``Deployment in version "v1" cannot be handled as a Deployment: strict decoding
            error: unknown field "spec.x"``. Callers that decode the result of a patch reword it themselves.
        """
        ...

    def default(self, obj: Object) -> None:
        """Fill in the defaults of the kind, in place."""
        ...

    def validate(self, obj: Object, old: Object | None = None) -> list[Cause]:
        """What the schema itself finds wrong (custom resources: types, enums, patterns, rules in CEL …).

        :param old: the object that `obj` is to replace, for rules about transitions.
        """
        ...
