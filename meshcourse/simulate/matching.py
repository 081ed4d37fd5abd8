"""Envoy's rules for choosing a virtual host and a route, and which condition of a route failed.

Source: Envoy's API reference of RouteConfiguration (exact domains, then the longest suffix
wildcard, then the longest prefix wildcard, then ``*``) and RouteMatch.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from meshcourse.simulate.outcome import Request

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition: what is wanted, what the request has, and whether that will do."""

    wanted: str
    has: str
    holds: bool

    def __str__(self) -> str:
        return f"wants {self.wanted}; the request has {self.has}"


def virtual_host(configuration: Json, authority: str) -> Json | None:
    """The virtual host of an authority; None if no domain fits."""
    name = authority.lower()
    if configuration.get("ignore_port_in_host_matching"):
        name = without_port(name)
    best: tuple[tuple[int, int], Json] | None = None
    for host in configuration.get("virtual_hosts") or []:
        for domain in host["domains"]:
            rank = _rank(domain.lower(), name)
            if rank is not None and (best is None or rank > best[0]):
                best = rank, host
    return best[1] if best else None


def without_port(authority: str) -> str:
    """The host of an authority."""
    host, colon, port = authority.rpartition(":")
    return host if colon and port.isdigit() else authority


def _rank(domain: str, name: str) -> tuple[int, int] | None:
    """How well a domain fits: kind first, then length; None if it does not."""
    if domain == name:
        return 3, len(domain)
    if domain == "*":
        return 0, 0
    if domain.startswith("*") and name.endswith(domain[1:]) and len(name) > len(domain) - 1:
        return 2, len(domain)
    if domain.endswith("*") and name.startswith(domain[:-1]) and len(name) > len(domain) - 1:
        return 1, len(domain)
    return None


def route(host: Json, request: Request) -> Json | None:
    """The first route that matches; CONNECT routes match tunnels only."""
    return next((one for one in host.get("routes") or [] if matches(one["match"], request)), None)


def nearest(host: Json, request: Request) -> tuple[Json, list[Condition]] | None:
    """The route with the fewest conditions that fail (the first of equals), and those conditions."""
    best: tuple[Json, list[Condition]] | None = None
    for one in host.get("routes") or []:
        if ("connect_matcher" in one["match"]) != request.tcp:
            continue
        failed = [found for found in conditions(one["match"], request) if not found.holds]
        if best is None or len(failed) < len(best[1]):
            best = one, failed
    return best


def matches(match: Json, request: Request) -> bool:
    """Whether a RouteMatch fits."""
    if ("connect_matcher" in match) != request.tcp:
        return False
    return all(one.holds for one in conditions(match, request))


def conditions(match: Json, request: Request) -> Iterator[Condition]:
    """All conditions of a RouteMatch."""
    wanted, holds = _path(match, request)
    yield Condition(wanted, request.plain_path, holds)
    for one in match.get("headers") or []:
        yield header_condition(one, request)
    for one in match.get("query_parameters") or []:
        value = request.query.get(one["name"])
        name = f"query parameter {one['name']}"
        yield Condition(f"{name} {_words(one)}", _shown(value), _query(one, value))
    for one in match.get("dynamic_metadata") or []:
        name = ".".join(step["key"] for step in one["path"][1:])
        has = str(dict(request.claims)) if request.claims else "no valid token"
        yield Condition(f"the token's claim {name}", has, metadata(one, request))


def _path(match: Json, request: Request) -> tuple[str, bool]:
    """A condition on the path in words, and whether it holds."""
    path = request.plain_path
    if "safe_regex" in match:
        regex = match["safe_regex"]["regex"]
        return f"a path that matches {regex}", full_match(regex, path)
    fold = match.get("case_sensitive") is False
    path = path.lower() if fold else path
    if "path" in match:
        return f"the path {match['path']}", path == _folded(match["path"], fold)
    if "path_separated_prefix" in match:
        prefix = _folded(match["path_separated_prefix"], fold)
        return f"a path below {prefix}", path == prefix or path.startswith(f"{prefix}/")
    prefix = str(match.get("prefix", ""))
    return f"a path that begins with {prefix}", path.startswith(_folded(prefix, fold))


def _folded(text: str, fold: bool) -> str:
    return text.lower() if fold else text


def full_match(regex: str, text: str) -> bool:
    """RE2's full match, by Python's engine (the syntaxes agree on what Istio lets through)."""
    return re.fullmatch(regex, text, re.DOTALL) is not None


def header_condition(one: Json, request: Request) -> Condition:
    """A HeaderMatcher as a condition."""
    name = one["name"].removeprefix(":") if one["name"].startswith(":") else f"header {one['name']}"
    inverted = "not " if one.get("invert_match") else ""
    words = f"{name} {inverted}{_words(one)}"
    return Condition(words, _shown(request.header(one["name"])), header(one, request))


def _shown(value: str | None) -> str:
    return "none" if value is None else f'"{value}"'


def _words(condition: Json) -> str:
    """What a header or parameter has to be."""
    if "present_match" in condition:
        return "present" if condition["present_match"] else "absent"
    return described(condition["string_match"])


def described(matcher: Json) -> str:
    """A StringMatcher in words."""
    if "safe_regex" in matcher:
        return f"matching {matcher['safe_regex']['regex']}"
    kinds = {"prefix": "beginning with", "suffix": "ending with", "contains": "containing"}
    for kind, words in kinds.items():
        if kind in matcher:
            return f'{words} "{matcher[kind]}"'
    return f'equal to "{matcher.get("exact", "")}"'


def header(condition: Json, request: Request) -> bool:
    """Whether a HeaderMatcher fits."""
    value = request.header(condition["name"])
    if "present_match" in condition:
        found = (value is not None) is bool(condition["present_match"])
    elif value is None:
        if not condition.get("treat_missing_header_as_empty"):
            return False
        found = text(condition["string_match"], "")
    else:
        found = text(condition["string_match"], value)
    return found != bool(condition.get("invert_match"))


def text(matcher: Json, value: str) -> bool:
    """Whether a StringMatcher fits."""
    if "safe_regex" in matcher:
        return full_match(matcher["safe_regex"]["regex"], value)
    fold = bool(matcher.get("ignore_case"))
    given = _folded(value, fold)
    if "exact" in matcher:
        return given == _folded(matcher["exact"], fold)
    if "prefix" in matcher:
        return given.startswith(_folded(matcher["prefix"], fold))
    if "suffix" in matcher:
        return given.endswith(_folded(matcher["suffix"], fold))
    return _folded(matcher.get("contains", ""), fold) in given


def _query(condition: Json, value: str | None) -> bool:
    if "present_match" in condition:
        return (value is not None) is bool(condition["present_match"])
    return value is not None and text(condition["string_match"], value)


def metadata(matcher: Json, request: Request) -> bool:
    """Whether a MetadataMatcher about token claims fits."""
    value: Any = {"payload": request.claims}
    for step in matcher["path"]:
        value = value.get(step["key"]) if isinstance(value, Mapping) else None
    found = value is not None and _value(matcher["value"], value)
    return found != bool(matcher.get("invert"))


def _value(matcher: Json, value: Any) -> bool:
    if "or_match" in matcher:
        return any(_value(one, value) for one in matcher["or_match"]["value_matchers"])
    if "list_match" in matcher:
        inner = matcher["list_match"]["one_of"]
        return (
            isinstance(value, Sequence)
            and not isinstance(value, str)
            and any(_value(inner, one) for one in value)
        )
    return isinstance(value, str) and text(matcher["string_match"], value)
