"""What a span is, whichever protocol brought it. Ids are lower-case hex; times are microseconds."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["", "client", "server", "producer", "consumer", "internal"]
TagValue = str | int | float | bool


class MalformedSpan(ValueError):
    """A span that cannot be stored; the message names the field."""


@dataclass(frozen=True, slots=True)
class Span:
    """One unit of work of one service.

    :param trace_id: 32 hex digits. :param span_id: 16. :param parent_id: 16, or "" at the root.
    :param start: microseconds since the epoch. :param duration: microseconds.
    """

    trace_id: str
    span_id: str
    parent_id: str
    name: str
    service: str
    kind: Kind
    start: int
    duration: int
    tags: dict[str, TagValue] = field(default_factory=dict)
    logs: tuple[tuple[int, str], ...] = ()
    process: tuple[tuple[str, TagValue], ...] = ()

    @property
    def failed(self) -> bool:
        """Whether the span is marked as an error (``error`` tag, OpenTracing semantic conventions)."""
        return self.tags.get("error") in (True, "true", "True", "1")


def hex_id(text: object, digits: int, name: str) -> str:
    """Normalise an id: lower case, padded to `digits`, not all zeros.

    :raises MalformedSpan: if it is no hex number of at most `digits` digits.
    """
    found = str(text or "").lower()
    try:
        value = int(found, 16)
    except ValueError as error:
        raise MalformedSpan(f"{name} is not a hexadecimal id: {found[:64]!r}") from error
    if len(found) > digits or value == 0:
        raise MalformedSpan(f"{name} is not a hexadecimal id: {found[:64]!r}")
    return found.zfill(digits)


def intern_tags(tags: dict[str, TagValue]) -> dict[str, TagValue]:
    """The same strings occur in thousands of spans; keep each once."""
    return {
        sys.intern(key): sys.intern(value) if isinstance(value, str) and len(value) < 64 else value
        for key, value in tags.items()
    }
