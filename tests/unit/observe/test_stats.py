from __future__ import annotations

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meshcourse.observe import stats

counts = st.integers(1, 3000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
levels = st.sampled_from([0.8, 0.9, 0.95, 0.99, 0.999])


def binomial_cdf(k: int, n: int, p: float) -> float:
    return math.fsum(math.comb(n, i) * p**i * (1 - p) ** (n - i) for i in range(k + 1))


@pytest.mark.parametrize(
    ("hits", "n", "low", "high"),
    [(10, 100, 0.0552, 0.1744), (0, 20, 0.0, 0.1611), (20, 20, 0.8389, 1.0), (81, 263, 0.2553, 0.3662)],
)  # fmt: skip
def test_wilson_agrees_with_published_values(hits: int, n: int, low: float, high: float) -> None:
    found = stats.wilson(hits, n)
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-4)


@pytest.mark.parametrize(
    ("hits", "n", "low", "high"),
    [(10, 100, 0.0490, 0.1762), (0, 20, 0.0, 0.1684), (20, 20, 0.8316, 1.0), (81, 263, 0.2527, 0.3676)],
)  # fmt: skip
def test_clopper_pearson_agrees_with_published_values(
    hits: int, n: int, low: float, high: float
) -> None:
    found = stats.clopper_pearson(hits, n)
    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-4)


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 60).flatmap(lambda n: st.tuples(st.integers(1, n - 1), st.just(n))), levels)
def test_the_exact_interval_cuts_off_exactly_half_of_the_error_on_each_side(
    pair: tuple[int, int], level: float
) -> None:
    hits, n = pair
    found = stats.clopper_pearson(hits, n, level)
    assert binomial_cdf(hits, n, found.high) == pytest.approx((1 - level) / 2, abs=1e-9)
    assert 1 - binomial_cdf(hits - 1, n, found.low) == pytest.approx((1 - level) / 2, abs=1e-9)


@settings(max_examples=100, deadline=None)
@given(counts, levels)
def test_both_intervals_contain_the_observed_share_and_stay_within_0_and_1(
    pair: tuple[int, int], level: float
) -> None:
    for interval in (stats.wilson(*pair, level), stats.clopper_pearson(*pair, level)):
        assert 0 <= interval.low <= interval.share <= interval.high <= 1
        assert interval.share in interval


@settings(max_examples=60, deadline=None)
@given(counts)
def test_more_confidence_is_a_wider_interval(pair: tuple[int, int]) -> None:
    narrow, wide = stats.clopper_pearson(*pair, 0.9), stats.clopper_pearson(*pair, 0.99)
    assert wide.low <= narrow.low
    assert narrow.high <= wide.high


def test_of_nothing_anything_is_possible() -> None:
    assert (stats.wilson(0, 0).low, stats.clopper_pearson(0, 0).high) == (0.0, 1.0)
    assert not stats.split_plausible({}, {"v1": 1})


@pytest.mark.parametrize(("hits", "n", "confidence"), [(-1, 5, 0.9), (6, 5, 0.9), (1, 5, 1.0)])
def test_impossible_counts_are_refused(hits: int, n: int, confidence: float) -> None:
    with pytest.raises(ValueError, match=r"count|between"):
        stats.wilson(hits, n, confidence)


def test_80_20_is_told_from_70_30_at_400_requests() -> None:
    assert stats.plausible(320, 400, 0.8)
    assert not stats.plausible(280, 400, 0.8)


def test_a_right_split_is_seldom_called_wrong() -> None:
    chance = random.Random(7)
    wrong = 0
    for _ in range(100):
        drawn = chance.choices(["v1", "v2", "v3"], k=600)
        seen = {label: drawn.count(label) for label in ("v1", "v2", "v3")}
        wrong += not stats.split_plausible(seen, {"v1": 1, "v2": 1, "v3": 1}, 0.99)
    assert wrong <= 5  # 1 expected at most; more than 5 has a chance of one in a thousand


def test_a_single_answer_from_a_version_with_weight_0_breaks_the_promise() -> None:
    assert stats.split_plausible({"v2": 500}, {"v2": 100, "v1": 0})
    assert not stats.split_plausible({"v2": 500, "v1": 1}, {"v2": 100, "v1": 0})
    assert not stats.split_plausible({"v2": 500, "v9": 1}, {"v2": 100})


def test_a_verdict_names_the_share_that_does_not_fit() -> None:
    text = str(stats.split_plausible({"v1": 500, "v3": 500}, {"v1": 80, "v3": 20}))
    assert "NOT plausible at n = 1000" in text
    assert "v1: 50.0% seen, 80.0% expected ∉" in text


def test_weights_without_a_sum_are_refused() -> None:
    with pytest.raises(ValueError, match="more than 0"):
        stats.split_plausible({"v1": 1}, {"v1": 0})


@settings(max_examples=50)
@given(st.floats(0.05, 0.95), st.floats(0.05, 0.95))
def test_close_shares_need_more_requests(share: float, other: float) -> None:
    if abs(share - other) < 0.02:
        return
    nearer = other + (share - other) / 2
    assert stats.sample_size(share, nearer) >= stats.sample_size(share, other)


def test_the_sample_size_of_the_course() -> None:
    assert stats.sample_size(0.8, 0.7, confidence=0.95, power=0.9) == 189  # 13.73²
    with pytest.raises(ValueError, match="different"):
        stats.sample_size(0.5, 0.5)


@settings(max_examples=100)
@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=60), st.floats(0, 1))
def test_quantiles_lie_within_the_sample_and_are_monotone(values: list[float], q: float) -> None:
    found = stats.quantile(values, q)
    assert min(values) <= found <= max(values)
    assert stats.quantile(values, 0) == min(values)
    assert stats.quantile(values, 1) == max(values)
    assert found <= stats.quantile(values, min(1.0, q + 0.1)) + 1e-9


def test_quantiles_interpolate() -> None:
    assert stats.quantile([4, 1, 3, 2], 0.5) == 2.5
    assert math.isnan(stats.quantile([], 0.5))
    with pytest.raises(ValueError, match="between 0 and 1"):
        stats.quantile([1], 2)


def test_convergence_is_from_the_first_right_to_the_last_wrong_answer() -> None:
    answers = [(9.9, "v1"), (10.1, "v1"), (10.2, "v3"), (10.3, "v1"), (10.4, "v3")]
    found = stats.convergence(answers, 10.0, {"v3"})
    assert (found.first, found.settled) == pytest.approx((0.2, 0.3))
    assert "settled after 300 ms" in str(found)


def test_a_change_that_never_arrives_has_no_first_answer() -> None:
    assert math.isnan(stats.convergence([(1.0, "v1")], 0.0, {"v3"}).first)
