"""What an admission plugin is told. Source: ``admission.k8s.io/v1`` AdmissionRequest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from meshcourse.embedded.apiserver.rest.call import Call
from meshcourse.embedded.kube import objects
from meshcourse.embedded.kube.objects import Object

Operation = Literal["CREATE", "UPDATE", "DELETE", "CONNECT"]


@dataclass(slots=True)
class Attributes:
    """One write. Mutating plugins change `object` in place or replace it; None for a deletion."""

    call: Call
    operation: Operation
    object: Object | None
    old: Object | None = None

    @property
    def namespace(self) -> str:
        return self.call.namespace

    @property
    def name(self) -> str:
        """Empty for an object whose name is yet to be generated."""
        return self.call.name or (objects.name(self.object) if self.object else "")


class Plugin(Protocol):
    """A built-in plugin: raises `ApiError` to refuse."""

    def admit(self, attributes: Attributes) -> None:
        """May change the object in place."""
        ...

    def validate(self, attributes: Attributes) -> None: ...
