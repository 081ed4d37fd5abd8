"""Conditions of the Gateway API, and why something is not as asked for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from meshcourse.embedded.istio.model import Json

ACCEPTED: Final = "Accepted"
PROGRAMMED: Final = "Programmed"
RESOLVED_REFS: Final = "ResolvedRefs"
CONFLICTED: Final = "Conflicted"

#: Reasons of Istio's controller.
INVALID_DESTINATION: Final = "InvalidDestination"
INVALID_ADDRESS: Final = "UnsupportedAddress"
NOT_PERMITTED: Final = "RefNotPermitted"
INVALID_KIND: Final = "InvalidKind"
NOT_FOUND: Final = "BackendNotFound"
INVALID_FILTER: Final = "InvalidFilter"
INVALID_TLS: Final = "InvalidCertificateRef"
INVALID_CONFIGURATION: Final = "InvalidConfiguration"
UNSUPPORTED_PROTOCOL: Final = "UnsupportedProtocol"

#: Problems of one backend, which leave the rest of a route in force.
OF_BACKENDS: Final = frozenset((NOT_PERMITTED, NOT_FOUND, INVALID_KIND))


@dataclass(frozen=True, slots=True)
class Problem:
    """Why something is not as asked for: a condition's reason and message."""

    reason: str
    message: str


class RouteError(Exception):
    """A rule that cannot be converted at all."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


def joined(first: Problem | None, second: Problem | None) -> Problem | None:
    """Both in one: the first's reason, both messages."""
    if first is None or second is None:
        return first or second
    return Problem(first.reason, f"{first.message}; {second.message}")


def condition(
    kind: str,
    reason: str,
    message: str,
    problem: Problem | None = None,
    *,
    good: bool = True,
) -> Json:
    """One condition. A problem replaces reason and message, and inverts the status.

    :param good: the status without a problem.
    """
    if problem is not None:
        good, reason, message = not good, problem.reason, problem.message
    return {"type": kind, "status": str(good), "reason": reason, "message": message}


def listed(found: Iterable[Json], generation: int) -> list[Json]:
    """Conditions in order of their types, with the generation they are about."""
    ordered = sorted(found, key=lambda one: str(one["type"]))
    return [{**one, "observedGeneration": generation} for one in ordered]
