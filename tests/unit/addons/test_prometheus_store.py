"""The sample store and the exposition format."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest

from meshcourse.embedded.addons.prometheus import exposition, tsdb
from meshcourse.embedded.addons.prometheus.matchers import Matcher

SECOND = 1_000


def make_series(
    database: tsdb.Database, name: str, timeline: tsdb.Timeline, **labels: str
) -> tsdb.Series:
    return database.series(tsdb.make_labels({"__name__": name, **labels}), timeline)


def test_what_is_stored_comes_back_whatever_changes() -> None:
    """Run-length storage against a plain list, over random changes, gaps and windows."""
    chance = random.Random(3)
    timeline = tsdb.Timeline()
    database = tsdb.Database()
    series = make_series(database, "m", timeline)
    plain: list[tuple[int, float]] = []
    for index in range(300):
        if index >= 20:  # it appears later than its target
            value = plain[-1][1] if plain and chance.random() < 0.8 else chance.random()
            series.append(timeline.end, value)
            plain.append((index * SECOND, value))
        timeline.times.append(index * SECOND)
    assert len(series.values) < 100
    for _ in range(200):
        start, end = sorted(chance.randrange(-5, 305) * SECOND for _ in "ab")
        times, values = series.between(start, end)
        assert list(zip(times.tolist(), values.tolist(), strict=True)) == [
            point for point in plain if start < point[0] <= end
        ]


def test_trimming_forgets_the_old_and_keeps_what_holds() -> None:
    database = tsdb.Database(retention=100 * SECOND)
    timeline = tsdb.Timeline()
    steady, gone = (
        make_series(database, "steady", timeline),
        make_series(database, "gone", timeline),
    )
    for index in range(300):
        steady.append(timeline.end, 5.0)
        gone.append(timeline.end, 1.0 if index < 50 else tsdb.STALE)
        timeline.times.append(index * SECOND)
    assert database.trim(299 * SECOND)
    times, values = steady.between(0, 10**9)
    assert times[0] >= 199 * SECOND
    assert set(values.tolist()) == {5.0}
    assert [dict(s.labels)["__name__"] for s in database.select([])] == ["steady"]
    assert not database.trim(300 * SECOND)  # not again at once


def test_a_staleness_marker_is_no_ordinary_nan() -> None:
    assert math.isnan(tsdb.STALE)
    assert tsdb.stale(np.array([tsdb.STALE, math.nan, 1.0])).tolist() == [True, False, False]


def test_a_nan_that_stays_is_stored_once() -> None:
    series = make_series(tsdb.Database(), "m", tsdb.Timeline())
    for index in range(5):
        series.append(index, math.nan)
    assert len(series.values) == 1


@pytest.mark.parametrize(
    ("kind", "value", "actual", "expected"),
    [
        ("=", "a", "a", True),
        ("!=", "a", "", True),
        ("=~", "a|b", "b", True),
        ("=~", "a", "ab", False),  # anchored
        ("!~", "a.*", "abc", False),
        ("=~", ".*", "", True),
    ],
)
def test_matchers(kind: str, value: str, actual: str, expected: bool) -> None:
    assert Matcher("l", kind, value).matches(actual) is expected  # type: ignore[arg-type]


def test_a_bad_expression_is_refused() -> None:
    with pytest.raises(ValueError, match="error parsing regexp"):
        Matcher("l", "=~", "(")


def test_exposition_lines_and_labels() -> None:
    text = '# HELP m Help.\n# TYPE m counter\nm{a="x",b="q\\"\\\\\\n}"} 3\nplain 1e3 1700000000000\nm{} NaN\n'
    found = list(exposition.lines(text))
    assert [series for series, _ in found] == ['m{a="x",b="q\\"\\\\\\n}"}', "plain", "m{}"]
    assert [value for _, value in found[:2]] == [3.0, 1000.0]
    assert math.isnan(found[2][1])
    assert exposition.labels(found[0][0]) == {"__name__": "m", "a": "x", "b": 'q"\\\n}'}
    assert exposition.labels("plain") == {"__name__": "plain"}
    assert list(exposition.metadata(text)) == [("m", "HELP", "Help."), ("m", "TYPE", "counter")]


@pytest.mark.parametrize("text", ["m{a=1} 3", "9m 3", 'm{a="x" b="y"} 1'])
def test_malformed_series_are_refused(text: str) -> None:
    series = next(exposition.lines(text))[0]
    with pytest.raises(exposition.FormatError):
        exposition.labels(series)


@pytest.mark.parametrize("text", ["m", "m{} x"])
def test_malformed_values_are_refused(text: str) -> None:
    with pytest.raises(exposition.FormatError, match="expected a value"):
        list(exposition.lines(text))
