"""What a check yields: texts of errors, and `Warn` for what is only warned about."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

#: Part of an object as JSON.
Spec = Mapping[str, Any]


class Warn(str):
    """A warning."""

    __slots__ = ()


#: Errors and warnings in the order of pilot's checks.
Findings = Iterator[str]


def items(value: Any) -> list[Any]:
    """A list field; [] if absent."""
    return value if isinstance(value, list) else []


def pairs(value: Any) -> Iterable[tuple[str, Any]]:
    """A map field; empty if absent."""
    return value.items() if isinstance(value, dict) else ()


def quoted(value: object) -> str:
    """Go's ``%q``."""
    text = str(value).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{text}"'
