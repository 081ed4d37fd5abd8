"""``parentRefs``: which listeners a route attaches to, and why not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from meshcourse.embedded.istio import hosts
from meshcourse.embedded.istio.gateway_api import kinds, listeners
from meshcourse.embedded.istio.gateway_api.conditions import Problem
from meshcourse.embedded.istio.gateway_api.context import Context
from meshcourse.embedded.istio.gateway_api.kinds import Kind
from meshcourse.embedded.istio.gateway_api.listeners import Parent
from meshcourse.embedded.istio.model import Config, Json
from meshcourse.embedded.kube.objects import Key

NO_PARENT: Final = "NoMatchingParent"
NOT_ALLOWED: Final = "NotAllowedByListeners"
NO_HOSTNAME: Final = "NoMatchingListenerHostname"

#: Parents of a Gateway by its key.
Parents = Mapping[Key, Sequence[Parent]]


@dataclass(frozen=True, slots=True, eq=False)
class Attachment:
    """One listener (or the mesh) that a parentRef may mean.

    :param reference: as written; :param kind: of what it names; :param key: its name.
    :param problem: why the route does not attach.
    :param others: host names of other listeners on the same port, which take their own traffic.
    """

    reference: Json
    kind: Kind
    key: Key
    parent: Parent
    problem: Problem | None
    others: frozenset[str]

    @property
    def mesh(self) -> bool:
        return self.parent.internal == listeners.MESH

    @property
    def port(self) -> int:
        return int(self.reference.get("port") or 0)

    def serves(self, host: str) -> bool:
        """Whether this listener takes a host of the route, or leaves it to a more specific one."""
        own = self.parent.hostname
        if own and not hosts.wild(own):
            return True
        if own and not hosts.matches(host, own):
            return False
        return not any(len(own) <= len(one) and hosts.within(host, one) for one in self.others)


def of_route(route: Config, parents: Parents, context: Context) -> list[Attachment]:
    """All that a route refers to, in order of the references; unknown parents are left out (they
    may be somebody else's).
    """
    found = [
        one
        for reference in route.spec.get("parentRefs") or []
        for one in _of_reference(route, reference, parents, context)
    ]
    return sorted(found, key=lambda one: reference_key(one.reference, route.namespace))


def accepted(found: Sequence[Attachment]) -> list[Attachment]:
    """Those that take effect, in order of the listeners' internal names."""
    good = [one for one in found if one.problem is None]
    return sorted(good, key=lambda one: one.parent.internal)


def reference_key(reference: Mapping[str, Any], namespace: str) -> str:
    """The reference with its defaults, as text."""
    kind = kinds.of_reference(reference, kinds.GATEWAY)
    section, port = reference.get("sectionName") or "", reference.get("port") or 0
    owner = reference.get("namespace") or namespace
    return f"{kind.group}/{kind.kind}/{reference.get('name')}/{section}/{port}.{owner}"


def _of_reference(
    route: Config, reference: Json, parents: Parents, context: Context
) -> Iterator[Attachment]:
    kind = kinds.of_reference(reference, kinds.GATEWAY)
    key = kinds.target(reference, route.namespace)
    if kind in (kinds.SERVICE, kinds.SERVICE_ENTRY):
        problem = _missing(kind, key, context)
        yield Attachment(reference, kind, key, listeners.MESH_PARENT, problem, frozenset())
    elif kind == kinds.GATEWAY:
        siblings = parents.get(key, ())
        for parent in siblings:
            problem = _refused(route, reference, parent) or _kind_problem(route, parent)
            others = _others(parent, siblings)
            yield Attachment(reference, kind, key, parent, problem, others)


def _others(parent: Parent, siblings: Sequence[Parent]) -> frozenset[str]:
    same = (parent.port, parent.protocol)
    found = {
        one.hostname for one in siblings if one is not parent and (one.port, one.protocol) == same
    }
    return frozenset(found - {parent.hostname})


def _missing(kind: Kind, key: Key, context: Context) -> Problem | None:
    if kind == kinds.SERVICE:
        known, text = context.service(key) is not None, "service"
    else:
        known, text = context.service_entry(key) is not None, "service entry"
    return None if known else Problem(NO_PARENT, f'parent {text}: "{key.name}" not found')


def _refused(route: Config, reference: Mapping[str, Any], parent: Parent) -> Problem | None:
    port, section = reference.get("port"), reference.get("sectionName")
    if port and port != parent.port:
        return Problem(NO_PARENT, f"port {port} not found")
    if section and section != parent.section:
        return Problem(NO_PARENT, f'sectionName "{section}" not found')
    return _host_problem(route, parent)


def _host_problem(route: Config, parent: Parent) -> Problem | None:
    """A route attaches if one of its host names and the listener's have a name in common."""
    wanted = [str(one) for one in route.spec.get("hostnames") or ["*"]]
    if route.kind == kinds.TCP_ROUTE.kind:
        wanted = ["*"]
    overlapping = [
        one.partition("/")[0]
        for one in parent.hosts
        if any(hosts.matches(host, one.partition("/")[2]) for host in wanted)
    ]
    if any(owner in ("*", route.namespace) for owner in overlapping):
        return None
    if overlapping:
        message = (
            f'hostnames matched parent hostname "{parent.hostname}", but namespace '
            f'"{route.namespace}" is not allowed by the parent'
        )
        return Problem(NOT_ALLOWED, message)
    message = f'no hostnames matched parent hostname "{parent.hostname}"'
    return Problem(NO_HOSTNAME, message)


def _kind_problem(route: Config, parent: Parent) -> Problem | None:
    kind = kinds.of_config(route)
    if kind in parent.kinds:
        return None
    return Problem(NOT_ALLOWED, f"kind {kinds.versioned(kind)} is not allowed")
