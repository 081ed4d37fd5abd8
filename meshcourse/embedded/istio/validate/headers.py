"""Header names, header values with Envoy's ``%VARIABLE%`` expressions, and conditions on text."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

from meshcourse.embedded.istio.build import route_match
from meshcourse.embedded.istio.validate import regex
from meshcourse.embedded.istio.validate.findings import Findings, Spec, items, pairs, quoted

_TOKEN: Final = re.compile(r"[!#$%&'*+\-.^_`|~A-Za-z0-9]+")
_STRICT: Final = re.compile(r"[-_A-Za-z0-9]+")
_VALUE: Final = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f]*")
_PSEUDO: Final = frozenset((":method", ":scheme", ":authority", ":path", ":status"))


def name_or_claim(name: str) -> Findings:
    """A header to match: its name, or ``@request.auth.claims…``."""
    if not name:
        yield "header name cannot be empty"
    elif route_match.claim_path(name) is None and name not in _PSEUDO:
        yield from _token(name)


def cors_name(name: str) -> Findings:
    """A header in a CORS policy."""
    if not name:
        yield "header name cannot be empty"
    elif name != "*":
        yield from _token(name)


def strict_name(name: str) -> Findings:
    """A header that claims are copied to."""
    if not name:
        yield "header name cannot be empty"
    elif not _STRICT.fullmatch(name):
        yield f"header name {name} is not a valid header name"


def _token(name: str) -> Findings:
    if not _TOKEN.fullmatch(name):
        yield f"header name {name} is not a valid header name"


def is_authority(name: str) -> bool:
    """Whether the header is the authority."""
    return name.lower() in (":authority", "host")


def operations(headers: Spec | None) -> Findings:
    """``headers`` of a route or destination."""
    request = (headers or {}).get("request") or {}
    response = (headers or {}).get("response") or {}
    for operation in ("add", "set"):
        yield from _assignments(pairs(request.get(operation)), authority=True)
    for name in items(request.get("remove")):
        yield from _changeable(name)
    for operation in ("add", "set"):
        yield from _assignments(pairs(response.get(operation)), authority=False)
    for name in items(response.get("remove")):
        yield from _changeable(name)


def _assignments(found: Iterable[tuple[str, Any]], *, authority: bool) -> Findings:
    for name, text in found:
        if not (authority and is_authority(name)):
            yield from _changeable(name, host=not authority)
        yield from value(str(text))


def _changeable(name: str, *, host: bool = True) -> Findings:
    if not name:
        yield "header name cannot be empty"
    elif host and name.lower() == "host":
        yield f"invalid header {quoted(name)}: cannot set Host header"
    elif name.startswith(":"):
        yield f'invalid header {quoted(name)}: header cannot have ":" prefix'


def value(text: str) -> Findings:
    """A header value: printable, with every ``%`` doubled or part of a variable."""
    if not _VALUE.fullmatch(text):
        yield f"header value configuration {text} is invalid"
    elif problem := _variables(text):
        yield f"header value configuration: invalid header configuration. {problem}"


def _variables(text: str) -> str:
    position = 0
    while (start := text.find("%", position)) >= 0:
        if start + 1 == len(text):
            return "Un-escaped %"
        if text[start + 1] == "%":
            position = start + 2
            continue
        end = _end_of_variable(text, start + 1)
        if isinstance(end, str):
            return end
        position = end
    return ""


def _end_of_variable(text: str, position: int) -> int | str:
    """Behind the closing ``%`` of a variable that began before `position`; a problem otherwise."""
    unterminated = f"Un-terminated variable expression '{text}'"
    while position < len(text) and text[position] not in "%(":
        position += 1
    if position == len(text):
        return unterminated
    if text[position] == "%":
        return position + 1
    closing = text.find(")", position)
    if closing < 0:
        return unterminated
    after = text[closing + 1 :].lstrip(" ")
    if not after:
        return unterminated
    return len(text) - len(after) + 1 if after[0] == "%" else "Expecting '%' or whitespace after"


def condition(found: Spec | None, where: str) -> Findings:
    """A StringMatch that Envoy does not take empty."""
    if found is None:
        return
    if "prefix" in found and not found["prefix"]:
        yield f'"{where}": prefix string match should not be empty'
    else:
        yield from expression(found, where)


def expression(found: Spec | None, where: str) -> Findings:
    """The regular expression of a StringMatch, if it is one."""
    if found is None or "regex" not in found:
        return
    if not found["regex"]:
        yield f'"{where}": regex string match should not be empty'
    else:
        yield from regex.check(found["regex"], where)
