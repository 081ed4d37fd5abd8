"""Ages as kubectl prints them."""

from __future__ import annotations

import datetime as dt

import pytest

from meshcourse.embedded.apiserver.tables import durations

_M, _H, _D, _Y = 60, 3600, 86400, 365 * 86400


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "<invalid>"),
        (-1, "0s"),
        (0, "0s"),
        (1.9, "1s"),
        (119, "119s"),
        (120, "2m"),
        (130, "2m10s"),
        (10 * _M - 1, "9m59s"),
        (10 * _M, "10m"),
        (3 * _H - 1, "179m"),
        (3 * _H, "3h"),
        (3 * _H + 5 * _M, "3h5m"),
        (8 * _H, "8h"),
        (48 * _H - 1, "47h"),
        (2 * _D, "2d"),
        (5 * _D + 3 * _H, "5d3h"),
        (8 * _D, "8d"),
        (2 * _Y - 1, "729d"),
        (2 * _Y, "2y"),
        (2 * _Y + 10 * _D, "2y10d"),
        (8 * _Y, "8y"),
    ],
)
def test_human(seconds: float, text: str) -> None:
    assert durations.human(seconds) == text


def test_since_and_between() -> None:
    moment = dt.datetime.now(dt.UTC) - dt.timedelta(minutes=15)
    assert durations.since(moment.strftime("%Y-%m-%dT%H:%M:%SZ")) == "15m"
    assert durations.since(moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")) == "15m"
    assert durations.since(None) == "<unknown>"
    assert durations.since("nonsense") == "<unknown>"
    assert durations.between("2026-01-01T00:00:00Z", "2026-01-01T00:00:07Z") == "7s"
    assert durations.between(None, None) == ""
