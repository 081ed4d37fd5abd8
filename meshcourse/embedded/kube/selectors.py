"""Label and field selectors: parsing, matching, rendering.

Source: apimachinery's ``labels.Parse`` and ``fields.ParseSelector``, and ``metav1.LabelSelector``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from meshcourse.embedded.kube import objects
from meshcourse.embedded.kube.objects import Object
from meshcourse.errors import MeshcourseError


class SelectorError(MeshcourseError, ValueError):
    """A selector that cannot be parsed, in the words of the API server."""


_NAME = r"[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?"
_KEY = re.compile(rf"(?:[a-z0-9](?:[-a-z0-9.]*[a-z0-9])?/)?{_NAME}$")
_VALUE = re.compile(rf"(?:{_NAME})?$")
_SET = re.compile(r"(\S+)\s+(in|notin)\s*\(([^()]*)\)$")
_PARTS = re.compile(r",(?![^(]*\))")
_COMPARISON = re.compile(r"(==|!=|=|>|<)")
_OPERATORS = {"In": "in", "NotIn": "notin", "Exists": "exists", "DoesNotExist": "!"}


@dataclass(frozen=True, slots=True)
class Requirement:
    """One condition. `operator` is ``in``, ``notin``, ``exists``, ``!``, ``gt`` or ``lt``."""

    key: str
    operator: str
    values: frozenset[str] = frozenset()

    def matches(self, labels: Mapping[str, str]) -> bool:
        value = labels.get(self.key)
        if self.operator == "in":
            return value in self.values
        if self.operator == "notin":
            return value not in self.values
        if self.operator in ("exists", "!"):
            return (value is not None) == (self.operator == "exists")
        return _compare(value, self.operator, next(iter(self.values)))


def _compare(value: str | None, operator: str, bound: str) -> bool:
    try:
        return int(value or "") > int(bound) if operator == "gt" else int(value or "") < int(bound)
    except ValueError:
        return False


@dataclass(frozen=True, slots=True)
class LabelSelector:
    """All requirements must hold. Without any it matches everything (and is falsy), except for `NOTHING`."""

    requirements: tuple[Requirement, ...] = ()
    nothing: bool = False

    def __bool__(self) -> bool:
        return self.nothing or bool(self.requirements)

    def matches(self, labels: Mapping[str, str]) -> bool:
        if self.nothing:
            return False
        return all(requirement.matches(labels) for requirement in self.requirements)


#: What a null LabelSelector selects.
NOTHING = LabelSelector(nothing=True)


def parse_labels(text: str) -> LabelSelector:
    """``app=web,tier in (front, back),!legacy`` as a selector.

    :raises SelectorError: if it does not parse.
    """
    parts = [part.strip() for part in _PARTS.split(text)] if text.strip() else []
    return LabelSelector(tuple(_requirement(part, text) for part in parts))


def _requirement(part: str, text: str) -> Requirement:
    if match := _SET.match(part):
        values = frozenset(value.strip() for value in match[3].split(","))
        return _checked(Requirement(match[1], match[2], values))
    if match := _COMPARISON.search(part):
        operator = {"!=": "notin", ">": "gt", "<": "lt"}.get(match[1], "in")
        key, value = part[: match.start()].strip(), part[match.end() :].strip()
        return _checked(Requirement(key, operator, frozenset({value})))
    if not part:
        raise SelectorError(
            f"unable to parse requirement: found '', expected: identifier in \"{text}\""
        )
    if part.startswith("!"):
        return _checked(Requirement(part[1:].strip(), "!"))
    return _checked(Requirement(part, "exists"))


def _checked(requirement: Requirement) -> Requirement:
    if not _KEY.match(requirement.key):
        raise SelectorError(
            f'unable to parse requirement: <nil>: Invalid value: "{requirement.key}": name part must '
            "consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
            "alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for "
            "validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
        )
    for value in requirement.values:
        if not _VALUE.match(value):
            raise SelectorError(
                f'unable to parse requirement: values[0][{requirement.key}]: Invalid value: "{value}": '
                "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' "
                "or '.', and must start and end with an alphanumeric character"
            )
    return requirement


def from_object(selector: Object | None) -> LabelSelector:
    """A ``metav1.LabelSelector``: null selects nothing, ``{}`` everything.

    :raises SelectorError: for an operator that does not exist.
    """
    if selector is None:
        return NOTHING
    found = [
        Requirement(key, "in", frozenset({value}))
        for key, value in (selector.get("matchLabels") or {}).items()
    ]
    for expression in selector.get("matchExpressions") or ():
        operator = _OPERATORS.get(expression.get("operator", ""), "")
        if not operator:
            raise SelectorError(
                f'"{expression.get("operator")}" is not a valid label selector operator'
            )
        values = frozenset(expression.get("values") or ())
        found.append(Requirement(expression["key"], operator, values))
    return LabelSelector(tuple(found))


def from_map(labels: Mapping[str, str] | None) -> LabelSelector:
    """A plain map, as in a Service: null or empty selects nothing."""
    if not labels:
        return NOTHING
    return from_object({"matchLabels": labels})


def render(selector: Object | None) -> str:
    """A ``metav1.LabelSelector`` as text (``Scale.status.selector``, ``kubectl describe``)."""
    parts = [f"{k}={v}" for k, v in sorted(((selector or {}).get("matchLabels") or {}).items())]
    for expression in (selector or {}).get("matchExpressions") or ():
        parts.append(_render_expression(expression["key"], expression["operator"], expression))
    return ",".join(parts)


def _render_expression(key: str, operator: str, expression: Object) -> str:
    if operator == "Exists":
        return key
    if operator == "DoesNotExist":
        return f"!{key}"
    return f"{key} {_OPERATORS[operator]} ({','.join(sorted(expression.get('values') or ()))})"


@dataclass(frozen=True, slots=True)
class FieldSelector:
    """Conditions ``(path, value, equal)`` on fields; falsy without any."""

    terms: tuple[tuple[str, str, bool], ...] = ()

    def __bool__(self) -> bool:
        return bool(self.terms)

    def names(self) -> Sequence[str]:
        """The fields asked for."""
        return [path for path, _, _ in self.terms]

    def renamed(self, names: Mapping[str, str]) -> FieldSelector:
        """The same conditions on fields under other names."""
        terms = [(names.get(path, path), value, equal) for path, value, equal in self.terms]
        return FieldSelector(tuple(terms))

    def matches(self, obj: Object) -> bool:
        return all((_field(obj, path) == value) == equal for path, value, equal in self.terms)


def _field(obj: Object, path: str) -> str:
    value: Any = objects.dig(obj, path, "")
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):  # an Event's `source` stands for its component
        value = value.get("component", "")
    return str(value)


def parse_fields(text: str) -> FieldSelector:
    """``status.phase=Running,metadata.name!=web`` as a selector. A backslash escapes ``, = \\``.

    :raises SelectorError: if it does not parse.
    """
    terms: list[tuple[str, str, bool]] = []
    for part in re.split(r"(?<!\\),", text):
        if not part:
            continue
        match = re.search(r"(?<!\\)(!=|==|=)", part)
        if not match:
            raise SelectorError(f"invalid selector: '{text}'; can't understand '{part}'")
        value = re.sub(r"\\(.)", r"\1", part[match.end() :])
        terms.append((part[: match.start()], value, match[1] != "!="))
    return FieldSelector(tuple(terms))
