"""Label matchers: the four operators, regular expressions anchored at both ends.

Source: prometheus.io, "Time series selectors". Expressions are RE2 in Prometheus and Python's here; both agree on what
dashboards use (alternation, classes, repetition), and a pattern that Python rejects is refused with its message.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["=", "!=", "=~", "!~"]


@dataclass(frozen=True, slots=True)
class Matcher:
    """A condition on one label; an absent label has the value ""."""

    name: str
    kind: Kind
    value: str
    matches: Callable[[str], bool] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "matches", _compile(self.kind, self.value))


def _compile(kind: Kind, value: str) -> Callable[[str], bool]:
    if kind == "=":
        return lambda actual: actual == value
    if kind == "!=":
        return lambda actual: actual != value
    try:
        pattern = re.compile(value, re.DOTALL)
    except re.error as error:
        raise ValueError(f"error parsing regexp: {error}: `{value}`") from error
    if kind == "=~":
        return lambda actual: pattern.fullmatch(actual) is not None
    return lambda actual: pattern.fullmatch(actual) is None
