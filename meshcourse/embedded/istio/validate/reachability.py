"""Warnings about rules that no request can reach.

Source: pilot's analysis in ValidateVirtualService, which ``istioctl analyze`` reports as IST0130
and IST0131.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from meshcourse.embedded.istio.validate.findings import Findings, Spec, Warn, items, pairs, quoted

_ONLY_LAST: Final = "only the last rule can have no matches"
_BEFORE: Final = "route without matches defined before"
_ALL_USED: Final = "all matches used by prior rules"


def check(routes: Sequence[Spec], *, overlaps: bool) -> Findings:
    """Warnings about a list of routes. `overlaps`: compare prefixes too (HTTP)."""
    seen: dict[str, int] = {}
    empty = False
    prefixes: list[_Prefix] = []
    for number, route in enumerate(routes):
        matches = items((route or {}).get("match"))
        if not matches:
            if empty:
                yield _unused(_name(route, number), _ONLY_LAST)
            empty = True
            continue
        if empty:
            yield from (_unused(_name(route, number), _BEFORE) for _ in matches)
            continue
        yield from _duplicates(routes, number, seen)
        prefixes += _prefixes(route, number) if overlaps else []
    yield from _overlapping(prefixes)


def _duplicates(routes: Sequence[Spec], number: int, seen: dict[str, int]) -> Findings:
    route, repeated = routes[number], 0
    matches = items(route.get("match"))
    for position, match in enumerate(matches):
        key = json.dumps({k: v for k, v in match.items() if k != "name"}, sort_keys=True)
        if key in seen:
            before = _name(routes[seen[key]], seen[key])
            yield _ineffective(_name(route, number), _name(match, position), before)
            repeated += 1
        else:
            seen[key] = number
    if repeated == len(matches):
        yield _unused(_name(route, number), _ALL_USED)


def _name(part: Spec | None, number: int) -> str:
    name = (part or {}).get("name")
    return quoted(name) if name else f"#{number}"


def _unused(rule: str, reason: str) -> Warn:
    return Warn(f"virtualService rule {rule} not used ({reason})")


def _ineffective(rule: str, match: str, other: str) -> Warn:
    return Warn(
        f"virtualService rule {rule} match {match} is not used "
        f"(duplicate/overlapping match in rule {other})"
    )


@dataclass(frozen=True, slots=True)
class _Prefix:
    """A match by path prefix, with its other conditions as comparable text."""

    rule: str
    match: str
    prefix: str
    port: int
    method: str
    authority: str
    maps: tuple[dict[str, str], ...]

    def covers(self, other: _Prefix) -> bool:
        """Whether whatever `other` matches matches this one first."""
        return (
            other.prefix.startswith(self.prefix)
            and self.port == other.port
            and self.method.startswith(other.method)
            and self.authority.startswith(other.authority)
            and all(map(_covers, self.maps, other.maps))
        )


def _covers(left: dict[str, str], right: dict[str, str]) -> bool:
    return len(left) == len(right) and all(
        key in right and value.startswith(right[key]) for key, value in left.items()
    )


def _prefixes(route: Spec, number: int) -> Iterator[_Prefix]:
    for position, match in enumerate(items(route.get("match"))):
        prefix = (match.get("uri") or {}).get("prefix")
        if prefix:
            fields = ("headers", "queryParams", "withoutHeaders")
            yield _Prefix(
                rule=_name(route, number),
                match=_name(match, position),
                prefix=prefix,
                port=int(match.get("port") or 0),
                method=_text(match.get("method")) or "exact:GET",
                authority=_text(match.get("authority")),
                maps=tuple(
                    {key: _text(one) for key, one in pairs(match.get(field))} for field in fields
                ),
            )


def _text(condition: Any) -> str:
    found = condition or {}
    if found.get("exact"):
        return f"exact:{found['exact']}"
    return f"prefix:{found['prefix']}" if found.get("prefix") else ""


def _overlapping(prefixes: Sequence[_Prefix]) -> Findings:
    for number, first in enumerate(prefixes):
        for later in prefixes[number + 1 :]:
            if later.prefix != first.prefix and first.covers(later):
                mine = f"{later.match} of prefix {later.prefix}"
                other = f"{first.match} of prefix {first.prefix} on {first.rule}"
                yield _ineffective(later.rule, mine, other)
