"""Packed samples come back bit for bit, and a packed series answers like one that is not."""

from __future__ import annotations

import math
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshcourse.embedded.addons.prometheus import chunks, tsdb

ODD = [
    0.0,
    -0.0,
    math.inf,
    -math.inf,
    math.nan,
    tsdb.STALE,
    2.0**53,
    2.0**52 + 1,
    1e300,
    -1.5,
    1e-9,
]
VALUES = st.one_of(st.integers(-(2**53), 2**53).map(float), st.sampled_from(ODD), st.floats())


def bits(values: object) -> list[bytes]:
    return [struct.pack("<d", value) for value in np.asarray(values, np.float64)]


@given(st.lists(st.tuples(st.integers(1, 2**40), VALUES), min_size=1, max_size=30))
def test_what_is_packed_comes_back(pairs: list[tuple[int, float]]) -> None:
    changes = np.cumsum(np.array([gap for gap, _ in pairs], np.int64))
    values = np.array([value for _, value in pairs], np.float64)
    again = chunks.packed(changes, values).unpacked()
    assert again[0].tolist() == changes.tolist()
    assert bits(again[1]) == bits(values)


def test_counters_take_a_byte_a_sample_or_two() -> None:
    dense = chunks.packed(np.arange(240), np.arange(240) * 20.0)
    assert len(dense.gaps) + len(dense.steps) == 239
    sparse = chunks.packed(np.arange(240) * 7, np.arange(240) * 20.0)
    assert len(sparse.gaps) + len(sparse.steps) == 2 * 239


def pair(count: int) -> tuple[tsdb.Series, tsdb.Series]:
    """The same samples packed and not: a counter that rests at every third scrape, gone for a while."""
    timeline = tsdb.Timeline()
    series = tsdb.Series((), timeline), tsdb.Series((), timeline)
    for index in range(count):
        value = tsdb.STALE if 500 <= index < 510 else float(index - index % 3)
        for each in series:
            each.append(timeline.end, value)
        timeline.times.append(index * 1000)
    plain = series[1]
    for chunk in reversed(plain.chunks):
        changes, values = chunk.unpacked()
        plain.changes[:0] = type(plain.changes)("q", changes.tolist())
        plain.values[:0] = type(plain.values)("d", values.tobytes())
    plain.chunks.clear()
    return series


@pytest.mark.parametrize(
    "window", [(-1, 10_000), (0, 900_000), (499_000, 511_000), (898_000, 2**50)]
)
@pytest.mark.parametrize("forgotten", [0, 100, 800])
def test_a_packed_series_answers_the_same(window: tuple[int, int], forgotten: int) -> None:
    packed, plain = pair(900)
    assert packed.chunks
    assert len(packed.values) < len(plain.values)
    packed.timeline.trim(forgotten * 1000)
    assert packed.trim() == plain.trim() is True
    (times, values), (plain_times, plain_values) = packed.between(*window), plain.between(*window)
    assert times.tolist() == plain_times.tolist()
    assert bits(values) == bits(plain_values)
    inside = [at for at in packed.timeline.times if window[0] < at <= window[1]]
    assert times.tolist() == inside


def test_chunks_that_are_too_old_are_forgotten() -> None:
    series, _ = pair(900)
    before = len(series.chunks)
    series.timeline.trim(880_000)
    assert series.trim()
    assert len(series.chunks) < before
    series.append(series.timeline.end, tsdb.STALE)
    series.timeline.times.append(2_000_000)
    series.timeline.trim(3_000_000)
    assert not series.trim()


def test_the_oldest_go_when_there_is_no_room() -> None:
    database = tsdb.Database(room=3000)
    labels = {"__name__": "hits"}
    database.load(labels, [(index * 1000, float(index)) for index in range(3600)])
    (series,) = database.select([])
    assert sum(chunk.size for chunk in series.chunks) > 3000
    assert database.trim(3_600_000)
    assert sum(chunk.size for chunk in series.chunks) <= 3000
    assert series.timeline.times[0] > 600_000
    times, values = series.between(0, 3_600_000)
    assert (times[-1], values[-1]) == (3_599_000, 3599.0)
    assert len(times) == len(series.timeline.times)
