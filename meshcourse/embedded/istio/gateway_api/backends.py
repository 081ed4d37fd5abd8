"""``backendRefs``: destinations of routes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from meshcourse.embedded.istio.gateway_api import conditions, kinds
from meshcourse.embedded.istio.gateway_api.conditions import Problem, RouteError
from meshcourse.embedded.istio.gateway_api.context import Context
from meshcourse.embedded.istio.gateway_api.grants import Grants
from meshcourse.embedded.istio.gateway_api.kinds import Kind
from meshcourse.embedded.istio.model import Config, Json

#: Where connections go that no backend takes; there is no such cluster.
NOWHERE: Final[Json] = {
    "host": "internal.cluster.local",
    "subset": "zero-weight",
    "port": {"number": 65535},
}


class Backends:
    """Resolves the references of one route.

    :param mesh: for parents that are Services, Istio does not ask for ReferenceGrants.
    """

    def __init__(self, route: Config, context: Context, grants: Grants, *, mesh: bool) -> None:
        self._route = route
        self._context = context
        self._grants = grants
        self._mesh = mesh

    def destination(self, reference: Mapping[str, Any]) -> tuple[Json, Problem | None]:
        """The destination; ``{}`` where there is none to send to.

        :raises RouteError: if the reference makes the whole rule invalid.
        """
        kind = kinds.of_reference(reference, kinds.SERVICE)
        if problem := self._not_granted(kind, reference):
            return {}, problem
        if kind == kinds.SERVICE:
            host, problem = self._service(reference)
        elif kind == kinds.HOST_NAME:
            host, problem = self._host(reference)
        else:
            message = (
                f'referencing unsupported backendRef: group "{reference.get("group") or ""}" '
                f'kind "{reference.get("kind") or ""}"'
            )
            return {}, Problem(conditions.INVALID_KIND, message)
        if not reference.get("port"):
            raise _invalid("port is required in backendRef")
        return {"host": host, "port": {"number": int(reference["port"])}}, problem

    def _not_granted(self, kind: Kind, reference: Mapping[str, Any]) -> Problem | None:
        key = kinds.target(reference, self._route.namespace)
        source = kinds.of_config(self._route)
        allowed = self._grants.allow(source, self._route.namespace, kind, key)
        if self._mesh or allowed:
            return None
        message = (
            f"backendRef {key.name}/{key.namespace} not accessible to a {source.kind} in namespace "
            f'"{self._route.namespace}" (missing a ReferenceGrant?)'
        )
        return Problem(conditions.NOT_PERMITTED, message)

    def _service(self, reference: Mapping[str, Any]) -> tuple[str, Problem | None]:
        key = kinds.target(reference, self._route.namespace)
        if "." in key.name:
            text = "service name invalid; the name of the Service must be used, not the hostname."
            raise _invalid(text)
        host = self._context.host(key)
        return host, None if self._context.service(key) else _unknown(host)

    def _host(self, reference: Mapping[str, Any]) -> tuple[str, Problem | None]:
        if reference.get("namespace"):
            raise _invalid("namespace may not be set with Hostname type")
        host = str(reference.get("name"))
        known = any(key.hostname == host for key in self._context.services)
        return host, None if known else _unknown(host)


def _invalid(message: str) -> RouteError:
    return RouteError(Problem(conditions.INVALID_DESTINATION, message))


def _unknown(host: str) -> Problem:
    return Problem(conditions.NOT_FOUND, f"backend({host}) not found")


def weight(reference: Mapping[str, Any]) -> int:
    """A backend's share; 1 unless written."""
    found = reference.get("weight")
    return 1 if found is None else int(found)


def weighted(references: Sequence[Mapping[str, Any]]) -> list[tuple[Mapping[str, Any], int]]:
    """The backends that get anything with their weights; a lone one has none (0)."""
    found = [(one, weight(one)) for one in references if weight(one)]
    return [(found[0][0], 0)] if len(found) == 1 else found


def stream(
    references: Sequence[Mapping[str, Any]], backends: Backends
) -> tuple[list[Json], Problem | None]:
    """The ``route`` of a TCP or TLS route, and what is wrong with a backend."""
    found: list[Json] = []
    problem: Problem | None = None
    for reference, share in weighted(references):
        destination, wrong = backends.destination(reference)
        problem = wrong or problem
        found.append(_with_weight({"destination": destination or NOWHERE}, share))
    return found or [{"destination": NOWHERE}], problem


def _with_weight(target: Json, share: int) -> Json:
    return {**target, "weight": share} if share else target
