"""One request to the API, wherever it came from."""

from __future__ import annotations

from dataclasses import dataclass, field

from meshcourse.embedded.apiserver.auth.users import User
from meshcourse.embedded.apiserver.contracts import FieldValidation
from meshcourse.embedded.apiserver.registry.kinds import Kind
from meshcourse.embedded.kube.refs import Resource


@dataclass(frozen=True, slots=True)
class Options:
    """The query parameters of writes. `field_manager` is what the caller named, "" if nothing."""

    dry_run: bool = False
    field_manager: str = ""
    field_validation: FieldValidation = "Warn"
    force: bool = False


@dataclass(slots=True)
class Call:
    """A verb on a kind. `agent` names the caller's program (managedFields without a field manager).

    `warnings` collects what is sent back as ``Warning`` headers.
    """

    user: User
    verb: str
    kind: Kind
    namespace: str = ""
    name: str = ""
    subresource: str = ""
    options: Options = field(default_factory=Options)
    agent: str = "unknown"
    warnings: list[str] = field(default_factory=list)

    @property
    def resource(self) -> Resource:
        return self.kind.resource

    @property
    def manager(self) -> str:
        """The name under which this call owns fields."""
        return self.options.field_manager or self.agent
