"""Values of CEL beyond JSON, and how values compare.

JSON values stand for themselves; duration and timestamp are Python's. Source: the CEL specification (equality across
types is false, numbers compare by value, other comparisons across types are errors).
"""

from __future__ import annotations

import datetime as dt
import re
from typing import Any, Final


class EvaluationError(Exception):
    """A rule that cannot be evaluated on this value (a missing key, a wrong type …)."""


_DURATION: Final = re.compile(r"([+-]?)((?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|ms|s|m|h))+")
_PART: Final = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)")
_UNITS: Final = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1, "m": 60, "h": 3600}


def duration(value: Any) -> dt.timedelta:
    """``1h30m`` as Go writes durations.

    :raises EvaluationError: if it is none.
    """
    if isinstance(value, dt.timedelta):
        return value
    text = str(value)
    if text in ("0", "+0", "-0"):
        return dt.timedelta()
    match = _DURATION.fullmatch(text)
    if match is None:
        raise EvaluationError(f'time: invalid duration "{text}"')
    seconds = sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text))
    return dt.timedelta(seconds=-seconds if match[1] == "-" else seconds)


def timestamp(value: Any) -> dt.datetime:
    """:raises EvaluationError: if it is not RFC 3339."""
    if isinstance(value, dt.datetime):
        return value
    try:
        found = dt.datetime.fromisoformat(str(value))
    except ValueError:
        raise EvaluationError(f'invalid timestamp "{value}"') from None
    return found if found.tzinfo else found.replace(tzinfo=dt.UTC)


def type_name(value: Any) -> str:
    """What CEL calls the type of a value."""
    if value is None:
        return "null_type"
    for kind, name in (
        (bool, "bool"), (int, "int"), (float, "double"), (str, "string"), (bytes, "bytes"), (list, "list"),
        (dict, "map"), (dt.timedelta, "google.protobuf.Duration"), (dt.datetime, "google.protobuf.Timestamp"),
    ):  # fmt: skip
        if isinstance(value, kind):
            return name
    return type(value).__name__


def equal(left: Any, right: Any) -> bool:
    """Deep equality; True is not 1."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(equal, left, right))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(equal(left[key], right[key]) for key in left)
    return bool(left == right)


def compare(left: Any, right: Any) -> int:
    """-1, 0 or 1.

    :raises EvaluationError: for values that have no order.
    """
    # Fields of format duration are durations to Kubernetes; here they still are their text.
    if isinstance(left, dt.timedelta) and isinstance(right, str):
        right = duration(right)
    elif isinstance(right, dt.timedelta) and isinstance(left, str):
        left = duration(left)
    try:
        if isinstance(left, bool) != isinstance(right, bool):
            raise TypeError
        return 0 if left == right else -1 if left < right else 1
    except TypeError:
        raise EvaluationError("no such overload") from None


def boolean(value: Any) -> bool:
    """:raises EvaluationError: for anything but a boolean."""
    if not isinstance(value, bool):
        raise EvaluationError("no such overload")
    return value


def contains(container: Any, value: Any) -> bool:
    """The operator ``in``: an element of a list, a key of a map."""
    if isinstance(container, dict):
        return value in container
    if isinstance(container, list):
        return any(equal(value, each) for each in container)
    raise EvaluationError("no such overload")
