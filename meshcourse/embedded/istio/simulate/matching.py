"""Envoy's rules for choosing a virtual host and a route.

Source: Envoy's API reference of RouteConfiguration (exact domains, then the longest suffix
wildcard, then the longest prefix wildcard, then ``*``) and RouteMatch.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from meshcourse.embedded.istio.simulate.outcome import Request

Json = Mapping[str, Any]


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


def matches(match: Json, request: Request) -> bool:
    """Whether a RouteMatch fits."""
    if ("connect_matcher" in match) != request.tcp:
        return False
    return (
        _path(match, request)
        and all(header(one, request) for one in match.get("headers") or [])
        and all(_query(one, request) for one in match.get("query_parameters") or [])
        and all(metadata(one, request) for one in match.get("dynamic_metadata") or [])
    )


def _path(match: Json, request: Request) -> bool:
    path = request.plain_path
    if "safe_regex" in match:
        return full_match(match["safe_regex"]["regex"], path)
    fold = match.get("case_sensitive") is False
    path = path.lower() if fold else path
    if "path" in match:
        return path == _folded(match["path"], fold)
    if "path_separated_prefix" in match:
        prefix = _folded(match["path_separated_prefix"], fold)
        return path == prefix or path.startswith(f"{prefix}/")
    return path.startswith(_folded(match.get("prefix", ""), fold))


def _folded(text: str, fold: bool) -> str:
    return text.lower() if fold else text


def full_match(regex: str, text: str) -> bool:
    """RE2's full match, by Python's engine (the syntaxes agree on what Istio lets through)."""
    return re.fullmatch(regex, text) is not None


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


def _query(condition: Json, request: Request) -> bool:
    value = request.query.get(condition["name"])
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
