"""Cron schedules. Pure.

Source: Kubernetes documentation of CronJobs, "Schedule syntax": five fields with ranges, lists, steps and names; the
macros ``@hourly`` and so on. As in cron, when both day fields are restricted one of them is enough.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from meshcourse.errors import MeshcourseError

_MACROS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
_MINUTE = dt.timedelta(minutes=1)

#: How far ahead a time is looked for: 29 February may be eight years away.
_HORIZON = dt.timedelta(days=366 * 8)

#: More missed times than this are too many to count.
MANY = 100

_LOOKBACK = (3600.0, 86400.0, 32 * 86400.0, 366 * 86400.0, 8 * 366 * 86400.0)


class ScheduleError(MeshcourseError):
    """A schedule or time zone that cannot be understood."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """The minutes at which something happens, in a time zone."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    any_day: bool
    any_weekday: bool
    zone: dt.tzinfo

    def after(self, moment: float) -> float | None:
        """The first time after `moment`, seconds since the epoch; None if there is none within eight years."""
        start = dt.datetime.fromtimestamp(moment, dt.UTC).replace(second=0, microsecond=0)
        at, end = start + _MINUTE, start + _HORIZON
        while at < end:
            local = at.astimezone(self.zone)
            if local.month not in self.months or not self._is_day(local):
                at = _midnight_after(local)
            elif local.hour not in self.hours:
                at += dt.timedelta(hours=1) - dt.timedelta(minutes=local.minute)
            elif local.minute not in self.minutes:
                at += _MINUTE
            else:
                return at.timestamp()
        return None

    def missed(self, since: float, until: float) -> tuple[int, float | None]:
        """How many times there were after `since` up to `until` (counted up to `MANY` + 1), and the last of them."""
        count, latest = self._count(since, until)
        if count <= MANY:
            return count, latest
        for span in _LOOKBACK:  # the shortest look back that finds one
            found, last = self._count(max(since, until - span), until, limit=None)
            if found:
                return count, last
        return count, latest

    def _count(
        self, since: float, until: float, limit: int | None = MANY + 1
    ) -> tuple[int, float | None]:
        count, latest = 0, None
        while count != limit and (at := self.after(latest or since)) is not None and at <= until:
            count, latest = count + 1, at
        return count, latest

    def _is_day(self, local: dt.datetime) -> bool:
        by_date = local.day in self.days
        by_weekday = local.isoweekday() % 7 in self.weekdays
        if self.any_day or self.any_weekday:
            return by_date and by_weekday
        return by_date or by_weekday


def parse(text: str, zone: str = "") -> Schedule:
    """A schedule from its text.

    :param zone: IANA name; "" for UTC.
    :raises ScheduleError: if either cannot be understood.
    """
    fields = _MACROS.get(text.strip(), text).split()
    if len(fields) != 5:
        raise ScheduleError(f"expected exactly 5 fields, found {len(fields)}: {text}")
    try:
        return Schedule(
            _field(fields[0], 0, 59),
            _field(fields[1], 0, 23),
            _field(fields[2], 1, 31),
            _field(fields[3], 1, 12, _MONTHS, 1),
            frozenset(day % 7 for day in _field(fields[4], 0, 7, _DAYS)),
            fields[2] in ("*", "?"),
            fields[4] in ("*", "?"),
            ZoneInfo(zone) if zone else dt.UTC,
        )
    except ZoneInfoNotFoundError as error:
        raise ScheduleError(f"unknown time zone {zone}") from error
    except ValueError as error:
        raise ScheduleError(f"unparseable schedule: {text}: {error}") from error


def _midnight_after(local: dt.datetime) -> dt.datetime:
    """The start of the next day where `local` is told, whatever the clocks did in between."""
    day = local.date() + dt.timedelta(days=1)
    return dt.datetime.combine(day, dt.time(), tzinfo=local.tzinfo).astimezone(dt.UTC)


def _field(
    text: str, low: int, high: int, names: list[str] | None = None, first: int = 0
) -> frozenset[int]:
    found: set[int] = set()
    for part in text.lower().split(","):
        span, _, step = part.partition("/")
        begin, dash, end = span.partition("-")
        if begin in ("*", "?"):
            start, stop = low, high
        else:
            start = _number(begin, names, first)
            # `5/10` means from 5 to the end
            stop = _number(end, names, first) if dash else (high if step else start)
        if not low <= start <= stop <= high or (step and int(step) < 1):
            raise ValueError(f"{part} is not within {low}-{high}")
        found |= set(range(start, stop + 1, int(step or 1)))
    return frozenset(found)


def _number(text: str, names: list[str] | None, first: int) -> int:
    if names and text[:3] in names:
        return names.index(text[:3]) + first
    return int(text)
