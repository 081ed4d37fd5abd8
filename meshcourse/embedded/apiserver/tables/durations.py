"""Ages and durations as kubectl prints them. Source: apimachinery's ``duration.HumanDuration``."""

from __future__ import annotations

import datetime as dt

UNKNOWN = "<unknown>"
_MINUTE, _HOUR, _DAY, _YEAR = 60, 3600, 86400, 365 * 86400


def human(seconds: float) -> str:
    """Two to three significant figures: ``42s``, ``2m10s``, ``5d3h``, ``2y10d``."""
    whole = int(seconds)
    if whole < -1:
        return "<invalid>"
    if whole < 2 * _MINUTE:
        return f"{max(whole, 0)}s"
    if whole < 10 * _MINUTE:
        return _two(whole, _MINUTE, "m", 1, "s")
    if whole < 3 * _HOUR:
        return f"{whole // _MINUTE}m"
    if whole < 8 * _HOUR:
        return _two(whole, _HOUR, "h", _MINUTE, "m")
    if whole < 2 * _DAY:
        return f"{whole // _HOUR}h"
    if whole < 8 * _DAY:
        return _two(whole, _DAY, "d", _HOUR, "h")
    if whole < 2 * _YEAR:
        return f"{whole // _DAY}d"
    if whole < 8 * _YEAR:
        return _two(whole, _YEAR, "y", _DAY, "d")
    return f"{whole // _YEAR}y"


def _two(seconds: int, unit: int, name: str, small: int, small_name: str) -> str:
    rest = seconds % unit // small
    return f"{seconds // unit}{name}{rest}{small_name}" if rest else f"{seconds // unit}{name}"


def parse(text: str | None) -> dt.datetime | None:
    """A metav1.Time or MicroTime; None for absent and for malformed ones."""
    if not text:
        return None
    try:
        found = dt.datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=dt.UTC)


def since(text: str | None) -> str:
    """The age of a time stamp, or ``<unknown>``."""
    moment = parse(text)
    if moment is None:
        return UNKNOWN
    return human((dt.datetime.now(dt.UTC) - moment).total_seconds())


def between(start: str | None, end: str | None) -> str:
    """The time from `start` to `end` (now if absent); "" if it has not started."""
    first = parse(start)
    if first is None:
        return ""
    last = parse(end) or dt.datetime.now(dt.UTC)
    return human((last - first).total_seconds())
