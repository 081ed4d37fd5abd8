"""Delegate VirtualServices: a root rule hands some of its routes to rules without hosts.

Source: istio.io reference of Delegate; pilot's merging: a delegate's route keeps its own fields and
inherits the missing ones; its conditions must be narrower than the root's, otherwise the route is
left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from meshcourse.embedded.istio.model import Json
from meshcourse.embedded.istio.virtual_services import VirtualService

#: (namespace, name) → the delegate, None if there is none that the root may see.
Lookup = Callable[[str, str], VirtualService | None]

_INHERITED: Final = (
    "rewrite",
    "directResponse",
    "timeout",
    "retries",
    "fault",
    "mirror",
    "mirrorPercent",
    "mirrorPercentage",
    "corsPolicy",
    "mirrors",
    "headers",
)
_TEXTS: Final = ("uri", "scheme", "method", "authority")
_MAPS: Final = ("headers", "withoutHeaders", "queryParams")


def references(rule: VirtualService) -> Iterator[tuple[str, str]]:
    """Namespace and name of the delegates that a rule names."""
    for route in rule.http:
        if (found := route.get("delegate")) is not None:
            yield found.get("namespace") or rule.namespace, found.get("name") or ""


def merged(rule: VirtualService, lookup: Lookup) -> VirtualService:
    """The rule with its delegates' routes in place of the references."""
    routes: list[Mapping[str, Any]] = []
    for route in rule.http:
        reference = route.get("delegate")
        if reference is None:
            routes.append(route)
            continue
        found = lookup(reference.get("namespace") or rule.namespace, reference.get("name") or "")
        routes += _routes(route, found.http) if found is not None else []
    return replace(rule, http=tuple(routes))


def _routes(root: Mapping[str, Any], delegate: Sequence[Mapping[str, Any]]) -> Iterator[Json]:
    for route in delegate:
        matches = _matches(root.get("match") or [], route.get("match") or [])
        if matches is None:
            continue
        inherited = {key: root[key] for key in _INHERITED if root.get(key) is not None}
        own = {key: one for key, one in route.items() if one is not None and key != "match"}
        result = {**inherited, **own, **({"match": matches} if matches else {})}
        if name := _joined(root.get("name"), route.get("name")):
            result["name"] = name
        yield result


def _joined(root: str | None, own: str | None) -> str:
    return "-".join(one for one in (root, own) if one)


def _matches(
    root: Sequence[Mapping[str, Any]], leaf: Sequence[Mapping[str, Any]]
) -> list[Mapping[str, Any]] | None:
    """The conditions of both; None if one of the delegate's fits none of the root's."""
    if not root or not leaf:
        return list(root or leaf)
    result: list[Mapping[str, Any]] = []
    for inner in leaf:
        fitting = [_both(outer, inner) for outer in root if not conflict(outer, inner)]
        if not fitting:
            return None
        result += fitting
    return result


def _both(outer: Mapping[str, Any], inner: Mapping[str, Any]) -> Json:
    result = {**outer, **{key: one for key, one in inner.items() if one not in (None, "", [])}}
    for key in (*_MAPS, "sourceLabels"):
        both = {**(outer.get(key) or {}), **(inner.get(key) or {})}
        if both:
            result[key] = both
    if name := _joined(outer.get("name"), inner.get("name")):
        result["name"] = name
    return result


def conflict(outer: Mapping[str, Any], inner: Mapping[str, Any]) -> bool:
    """Whether the inner condition is not within the outer one."""
    if any(_text_conflict(outer.get(key), inner.get(key)) for key in _TEXTS):
        return True
    for key in _MAPS:
        known = outer.get(key) or {}
        found = inner.get(key) or {}
        if any(_text_conflict(known.get(name), one) for name, one in found.items()):
            return True
    return _other_conflict(outer, inner)


def _other_conflict(outer: Mapping[str, Any], inner: Mapping[str, Any]) -> bool:
    if bool(outer.get("ignoreUriCase")) != bool(inner.get("ignoreUriCase")):
        return True
    ports = outer.get("port"), inner.get("port")
    if all(ports) and ports[0] != ports[1]:
        return True
    namespace = outer.get("sourceNamespace")
    if namespace and inner.get("sourceNamespace") != namespace:
        return True
    labels = outer.get("sourceLabels") or {}
    found = inner.get("sourceLabels") or {}
    if any(labels.get(key, value) != value for key, value in found.items()):
        return True
    gateways = outer.get("gateways"), inner.get("gateways")
    return bool(all(gateways) and not set(gateways[1] or ()) <= set(gateways[0] or ()))


def _text_conflict(outer: Mapping[str, Any] | None, inner: Mapping[str, Any] | None) -> bool:
    if not outer or not inner:
        return False
    if outer.get("regex") or inner.get("regex"):
        return True
    text = inner.get("exact") or inner.get("prefix") or ""
    if outer.get("exact"):
        return bool(inner.get("prefix")) or text != outer["exact"]
    return not text.startswith(outer.get("prefix") or "")
