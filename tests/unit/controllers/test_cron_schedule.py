"""Cron schedules, as a table."""

from __future__ import annotations

import datetime as dt

import pytest

from meshcourse.embedded.controllers import cron_schedule

UTC = dt.UTC


def at(text: str) -> float:
    return dt.datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("schedule", "after", "expected"),
    [
        ("*/5 * * * *", "2026-03-01 10:02", "2026-03-01 10:05"),
        ("*/5 * * * *", "2026-03-01 10:05", "2026-03-01 10:10"),
        ("0 * * * *", "2026-12-31 23:30", "2027-01-01 00:00"),
        ("30 4 1,15 * *", "2026-03-02 00:00", "2026-03-15 04:30"),
        ("0 0 29 2 *", "2026-03-01 00:00", "2028-02-29 00:00"),
        ("0 22 * * 1-5", "2026-03-06 23:00", "2026-03-09 22:00"),
        ("0 22 * * mon-fri", "2026-03-06 23:00", "2026-03-09 22:00"),
        ("0 0 * * 7", "2026-03-02 00:00", "2026-03-08 00:00"),
        ("0 0 13 * fri", "2026-03-07 00:00", "2026-03-13 00:00"),
        ("0 0 14 * fri", "2026-03-07 00:00", "2026-03-13 00:00"),
        ("10-20/5 8 * jan,dec ?", "2026-03-01 00:00", "2026-12-01 08:10"),
        ("5/20 * * * *", "2026-03-01 10:06", "2026-03-01 10:25"),
        ("@hourly", "2026-03-01 10:06", "2026-03-01 11:00"),
        ("@weekly", "2026-03-02 00:00", "2026-03-08 00:00"),
    ],
)
def test_the_next_time(schedule: str, after: str, expected: str) -> None:
    assert cron_schedule.parse(schedule).after(at(after)) == at(expected)


def test_a_time_that_never_comes() -> None:
    assert cron_schedule.parse("0 0 31 2 *").after(at("2026-03-01 00:00")) is None


def test_time_zones_move_with_daylight_saving() -> None:
    schedule = cron_schedule.parse("0 9 * * *", "Europe/Berlin")
    assert schedule.after(at("2026-03-28 12:00")) == at("2026-03-29 07:00")
    assert schedule.after(at("2026-03-27 12:00")) == at("2026-03-28 08:00")


@pytest.mark.parametrize(
    ("text", "zone"),
    [
        ("* * * *", ""),
        ("61 * * * *", ""),
        ("a * * * *", ""),
        ("5-1 * * * *", ""),
        ("* * * * *", "X/Y"),
    ],
)
def test_what_cannot_be_understood(text: str, zone: str) -> None:
    with pytest.raises(cron_schedule.ScheduleError):
        cron_schedule.parse(text, zone)


@pytest.mark.parametrize(
    ("since", "until", "expected"),
    [
        ("2026-03-01 10:00", "2026-03-01 10:00", (0, None)),
        ("2026-03-01 10:00", "2026-03-01 10:03", (3, "2026-03-01 10:03")),
        ("2020-03-01 10:00", "2026-03-01 10:03", (101, "2026-03-01 10:03")),
    ],
)
def test_missed_times_are_counted_up_to_a_point(
    since: str, until: str, expected: tuple[int, str | None]
) -> None:
    count, last = cron_schedule.parse("* * * * *").missed(at(since), at(until))
    assert (count, last) == (expected[0], expected[1] and at(expected[1]))
