"""The moment of a change, told from answers."""

from __future__ import annotations

import random

from meshcourse.observe.result import Sample
from meshcourse.rollout import split
from meshcourse.rollout.arrival import Arrival, arrival
from meshcourse.rollout.splitter import Shift


def answers(
    before: dict[str, int], after: dict[str, int], *, at: float, n: int, seed: int
) -> list[tuple[float, str]]:
    """One request each 5 ms; from `at` on by the new weights."""
    chance = random.Random(seed)
    found = []
    for number in range(n):
        moment = number * 0.005
        shares = before if moment < at else after
        found.append((moment, chance.choices(list(shares), list(shares.values()))[0]))
    return found


def test_a_new_version_says_it_to_the_request() -> None:
    found = arrival(
        answers({"v1": 100}, {"v2": 100}, at=0.1, n=200, seed=1), {"v1": 100}, {"v2": 100}
    )
    assert found is not None
    assert (found.seconds, found.low, found.high, found.settled) == (0.1, 0.1, 0.1, 0.1)
    assert str(found) == "first request on the new split after 100 ms"


def test_two_known_mixtures_say_it_with_an_interval() -> None:
    hits = 0
    for seed in range(100):
        said = answers({"v1": 80, "v2": 20}, {"v1": 20, "v2": 80}, at=0.5, n=400, seed=seed)
        found = arrival(said, {"v1": 80, "v2": 20}, {"v1": 20, "v2": 80})
        assert found is not None
        assert 0.3 < found.seconds < 0.7
        hits += found.low <= 0.5 <= found.high
    assert hits >= 85  # a 95 % interval: 99.99 % of all such hundreds have at least 86
    assert "(between 400 and 520 ms, 95 %)" in str(Arrival(0.5, 0.4, 0.52, 0.52))


def test_a_straggler_belongs_to_the_change_a_leak_does_not() -> None:
    said = answers({"v1": 1}, {"v2": 1}, at=0.1, n=1000, seed=1)
    said[30] = (said[30][0], "v1")
    said[900] = (said[900][0], "v1")
    found = arrival(said, {"v1": 100}, {"v2": 100})
    assert found is not None
    assert found.seconds == 0.1
    assert said[30][0] < found.settled < said[31][0]


def test_nothing_to_tell_by() -> None:
    said = [(0.0, "v1"), (0.1, "v1")]
    assert arrival(said, {"v1": 100}, {"v1": 100, "v2": 0}) is None  # no change
    assert arrival(said, {}, {"v1": 100}) is None  # unknown before
    assert arrival([], {"v1": 100}, {"v2": 100}) is None
    assert arrival(said, {"v1": 100}, {"v2": 100}) is None  # not yet
    assert arrival(said, {"v1": 90, "v2": 10}, {"v1": 100}) is None  # too few to say


def test_a_split_counts_what_was_sent_after_it_arrived() -> None:
    shift = Shift({"v1": 100}, {"v1": 50, "v2": 50}, 1000.0, 0.01, "kind: VirtualService\n")
    labels = ["v1"] * 10 + ["v2", "v1"] * 50
    samples = [(999.9 + i * 0.01, Sample(0, 0, 0.01, 200, label)) for i, label in enumerate(labels)]
    samples.insert(3, (999.93, Sample(0, 0, 0.01, 503)))
    found = split.judge("reviews", shift, "http://x/", samples)
    assert found.arrival is not None
    assert found.result.versions == {"v1": 50, "v2": 50}
    assert (found.sent, found.failed) == (111, 1)
    assert found.verdict
    assert not found.consistent_with({"v1": 90, "v2": 10})
    assert "v2      50 % wanted, 50.0%" in repr(found)
    assert found._repr_html_().count("stroke='#1f8f4e'") == 2  # where each bar should end


def test_until_it_arrives_nothing_is_counted() -> None:
    shift = Shift({"v1": 100}, {"v2": 100}, 1000.0, 0.01, "")
    samples = [(1000 + i * 0.01, Sample(0, 0, 0.01, 200, "v1")) for i in range(50)]
    found = split.judge("reviews", shift, "http://x/", samples)
    assert (found.result.n, found.arrival, found.sent) == (0, None, 50)
    assert "wanted, " not in repr(found)
    same = Shift({"v1": 100}, {"v1": 100, "v2": 0}, 1000.0, 0.01, "")
    assert split.judge("reviews", same, "http://x/", samples).result.n == 50
