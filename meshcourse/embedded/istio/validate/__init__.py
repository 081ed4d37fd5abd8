"""What Istio's validating webhook refuses, with its field paths and messages. Pure.

Belongs here: one file per kind, each a function of the object alone. Does not belong here:
cross-object analysis (``istioctl analyze`` lives in `istioctl`), schema checks that the CRD already
makes.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from meshcourse.embedded.kube.objects import Object


@dataclass(frozen=True, slots=True)
class Result:
    """Errors refuse the object; warnings travel back with the admission response."""

    errors: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def message(self) -> str:
        """The text of the webhook's refusal: one error as it is, several joined as Go's multierror
        does.
        """
        if len(self.errors) <= 1:
            return "".join(self.errors)
        lines = "".join(f"\n\t* {error}" for error in self.errors)
        return f"{len(self.errors)} errors occurred:{lines}\n\n"


def check(obj: Object) -> Result:
    """What is wrong with an Istio object (any kind; unknown kinds pass)."""
    raise LookupError(obj)
