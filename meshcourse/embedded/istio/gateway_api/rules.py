"""Rules of routes → routes of VirtualServices."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from meshcourse.embedded.istio import durations
from meshcourse.embedded.istio.gateway_api import backends, conditions, filters, kinds, matches
from meshcourse.embedded.istio.gateway_api.backends import Backends
from meshcourse.embedded.istio.gateway_api.conditions import Problem, RouteError
from meshcourse.embedded.istio.gateway_api.context import Context
from meshcourse.embedded.istio.gateway_api.grants import Grants
from meshcourse.embedded.istio.model import Config, Json

_RETRY_ON: Final = ("connect-failure", "refused-stream", "unavailable", "cancelled")

#: A converted route and what is wrong with a part of it.
_Converted = tuple[Json, Problem | None]


@dataclass(frozen=True, slots=True)
class Rules:
    """Converted rules.

    :param routes: of ``http``, ``tls`` or ``tcp``, depending on the kind; none if a rule is
        invalid.
    :param problem: the last that was found.
    """

    routes: tuple[Json, ...] = ()
    problem: Problem | None = None


def convert(route: Config, context: Context, grants: Grants, *, mesh: bool) -> Rules:
    """All rules of a route, for parents in the mesh or for Gateways."""
    resolver = Backends(route, context, grants, mesh=mesh)
    try:
        found = list(_KINDS[kinds.of_config(route)](route, resolver))
    except RouteError as error:
        return Rules((), error.problem)
    problems = [problem for _, problem in found if problem is not None]
    return Rules(tuple(one for one, _ in found), problems[-1] if problems else None)


def _http(route: Config, resolver: Backends) -> Iterator[_Converted]:
    """One route for each match: precedence is between matches."""
    for number, rule in enumerate(route.spec.get("rules") or []):
        common, problem = filters.of_rule(rule.get("filters") or [], resolver)
        common = {"name": _name(route, rule, number), **common, **_timing(rule)}
        problem = conditions.joined(_destinations(common, rule, resolver), problem)
        yield from _each(common, problem, [matches.http(one) for one in rule.get("matches") or []])


def _grpc(route: Config, resolver: Backends) -> Iterator[_Converted]:
    for number, rule in enumerate(route.spec.get("rules") or []):
        common, _ = filters.of_rule(rule.get("filters") or [], resolver, grpc=True)
        common = {"name": _name(route, rule, number), **common}
        problem = _destinations(common, rule, resolver, nothing=500)
        yield from _each(common, problem, [matches.grpc(one) for one in rule.get("matches") or []])


def _each(common: Json, problem: Problem | None, found: list[Json]) -> Iterator[_Converted]:
    for match in found:
        yield {**common, "match": [match]}, problem
    if not found:
        yield common, problem


def _name(route: Config, rule: Mapping[str, Any], number: int) -> str:
    return str(rule.get("name") or f"{route.namespace}.{route.name}.{number}")


def _destinations(
    result: Json, rule: Mapping[str, Any], resolver: Backends, *, nothing: int = 404
) -> Problem | None:
    """Adds the destinations; without any the answer is `nothing`, with shares of zero 500."""
    references = rule.get("backendRefs") or []
    if "redirect" in result:
        return None
    if not any(backends.weight(one) for one in references):
        result["directResponse"] = {"status": 500 if references else nothing}
        return None
    problem: Problem | None = None
    targets: list[Json] = []
    for reference, share in backends.weighted(references):
        destination, wrong = resolver.destination(reference)
        problem = wrong or problem
        target = {"destination": destination, **filters.of_backend(reference.get("filters") or [])}
        targets.append({**target, "weight": share} if share else target)
    result["route"] = targets
    return problem


def _timing(rule: Mapping[str, Any]) -> Json:
    result: Json = {}
    retry, timeouts = rule.get("retry"), rule.get("timeouts") or {}
    if retry is not None:
        result["retries"] = _retries(retry)
    if _positive(timeouts.get("request")):
        result["timeout"] = timeouts["request"]
    if _positive(timeouts.get("backendRequest")):
        if retry is not None:
            result["retries"]["perTryTimeout"] = timeouts["backendRequest"]
        else:
            result["timeout"] = timeouts["backendRequest"]
    return result


def _positive(text: str | None) -> bool:
    return bool(text) and durations.seconds(text or "") > 0


def _retries(retry: Mapping[str, Any]) -> Json:
    attempts = retry.get("attempts")
    result: Json = {"attempts": 2 if attempts is None else int(attempts)}
    if result["attempts"]:
        result["retryOn"] = ",".join([*_RETRY_ON, *map(str, retry.get("codes") or [])])
    if retry.get("backoff"):
        result["backoff"] = retry["backoff"]
    return result


def _tls(route: Config, resolver: Backends) -> Iterator[_Converted]:
    names = [str(one) for one in route.spec.get("hostnames") or ["*"]]
    for rule in route.spec.get("rules") or []:
        targets, problem = backends.stream(rule.get("backendRefs") or [], resolver)
        yield {"match": [{"sniHosts": names}], "route": targets}, problem


def _tcp(route: Config, resolver: Backends) -> Iterator[_Converted]:
    for rule in route.spec.get("rules") or []:
        targets, problem = backends.stream(rule.get("backendRefs") or [], resolver)
        yield {"route": targets}, problem


_KINDS: Final = {
    kinds.HTTP_ROUTE: _http,
    kinds.GRPC_ROUTE: _grpc,
    kinds.TLS_ROUTE: _tls,
    kinds.TCP_ROUTE: _tcp,
}
