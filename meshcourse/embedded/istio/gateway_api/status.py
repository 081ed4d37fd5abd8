"""Statuses: of routes from their attachments; and how a status is brought up to date."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from meshcourse.embedded.istio.gateway_api import attachments, classes, conditions
from meshcourse.embedded.istio.gateway_api.attachments import Attachment
from meshcourse.embedded.istio.gateway_api.conditions import Problem
from meshcourse.embedded.istio.gateway_api.rules import Rules
from meshcourse.embedded.istio.model import Config, Json

#: The most telling reason goes first if listeners refuse a route for different ones.
_RANKS: Final = {
    attachments.NOT_ALLOWED: 1,
    attachments.NO_HOSTNAME: 2,
    attachments.NO_PARENT: 4,
}


def of_route(route: Config, found: Sequence[Attachment], rules: Mapping[bool, Rules]) -> Json:
    """The status of a route: one entry for each parentRef."""
    groups: dict[str, list[Attachment]] = {}
    for one in found:
        key = attachments.reference_key(one.reference, route.namespace)
        groups.setdefault(key, []).append(one)
    ordered = sorted(groups.items(), reverse=True)
    return {"parents": [_parent(route, group, rules) for _, group in ordered]}


def _parent(route: Config, group: Sequence[Attachment], rules: Mapping[bool, Rules]) -> Json:
    good = sum(1 for one in group if one.problem is None)
    message = f"Route was valid, bound to {good} parents" if good > 1 else "Route was valid"
    refused = None if good else _reported([one.problem for one in group if one.problem])
    found = [
        conditions.condition(conditions.ACCEPTED, conditions.ACCEPTED, message, refused),
        conditions.condition(
            conditions.RESOLVED_REFS,
            conditions.RESOLVED_REFS,
            "All references resolved",
            rules[group[0].mesh].problem,
        ),
    ]
    return {
        "parentRef": group[0].reference,
        "controllerName": classes.CONTROLLER,
        "conditions": conditions.listed(found, route.generation),
    }


def _reported(problems: Sequence[Problem]) -> Problem | None:
    best = min(_RANKS[one.reason] for one in problems)
    chosen = [one for one in problems if _RANKS[one.reason] == best]
    return Problem(chosen[0].reason, "; ".join(one.message for one in chosen))


def merge(current: Mapping[str, Any] | None, wanted: Json, now: str) -> Json:
    """The status to write: `wanted` with the times at which conditions changed.

    Entries of other controllers and conditions that are not ours stay. If nothing changed, the
    result equals `current`.

    :param now: RFC 3339, for conditions whose status is new.
    """
    old = current or {}
    result: Json = {**old, **wanted}
    if "conditions" in wanted:
        result["conditions"] = _conditions(old.get("conditions") or [], wanted["conditions"], now)
    if "listeners" in wanted:
        result["listeners"] = _named("name", old.get("listeners") or [], wanted["listeners"], now)
    if "parents" in wanted:
        result["parents"] = _parents(old.get("parents") or [], wanted["parents"], now)
    return result


def _parents(old: Sequence[Mapping[str, Any]], wanted: Sequence[Json], now: str) -> list[Json]:
    """Other controllers' entries and known ones keep their places; new ones come last."""
    fresh = {_identity(one): one for one in _named("parentRef", old, wanted, now)}
    result = []
    for one in old:
        if one.get("controllerName") != classes.CONTROLLER:
            result.append(dict(one))
        elif (known := fresh.pop(_identity(one), None)) is not None:
            result.append(known)
    return [*result, *fresh.values()]


def _identity(parent: Mapping[str, Any]) -> str:
    return attachments.reference_key(parent.get("parentRef") or {}, "")


def _named(
    key: str, old: Sequence[Mapping[str, Any]], wanted: Sequence[Json], now: str
) -> list[Json]:
    result = []
    for one in wanted:
        before: Mapping[str, Any] = next((it for it in old if it.get(key) == one[key]), {})
        fresh = _conditions(before.get("conditions") or [], one["conditions"], now)
        result.append({**one, "conditions": fresh})
    return result


def _conditions(old: Sequence[Mapping[str, Any]], wanted: Sequence[Json], now: str) -> list[Json]:
    before = {one.get("type"): one for one in old}
    ours = {one["type"] for one in wanted}
    result = [dict(one) for one in old if one.get("type") not in ours]
    for one in wanted:
        known = before.get(one["type"]) or {}
        same = known.get("status") == one["status"]
        time = known.get("lastTransitionTime") if same else None
        result.append({**one, "lastTransitionTime": time or now})
    return result
