"""The canary in virtual time: it promotes what is good, rolls back what is bad, and never leaves a bad version on."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from meshcourse.rollout import canary, judging
from meshcourse.rollout.judging import Counts
from meshcourse.rollout.weights import RolloutError, Weights
from meshcourse.widgets import canary as timeline


class World:
    """Visitors at 100 a second; a share of those who meet the candidate sees it fail."""

    def __init__(self, failing: float, *, rate: float = 100.0, seed: int = 7) -> None:
        self.failing, self.rate = failing, rate
        self.now = 0.0
        self.weights: list[Weights] = []
        self.counts = Counts()
        self.on_sleep: Callable[[], None] = lambda: None
        self._chance = random.Random(seed)

    def set(self, weights: Weights) -> None:
        self.weights.append(weights)

    def sleep(self, seconds: float) -> None:
        self.on_sleep()
        self.now += seconds
        share = self.weights[-1]["v2"] / 100 if self.weights else 0
        visits = sum(self._chance.random() < share for _ in range(round(self.rate * seconds)))
        errors = sum(self._chance.random() < self.failing for _ in range(visits))
        self.counts = Counts(self.counts.requests + visits, self.counts.errors + errors)

    def run(self, **plan: object) -> canary.Canary:
        states: list[canary.Canary] = []
        run = canary.Run(
            canary.Plan("reviews", "v1", "v2", **plan),  # type: ignore[arg-type]
            self.set, lambda: self.counts, query="up", show=states.append,
            clock=lambda: self.now, sleep=self.sleep,
        )  # fmt: skip
        found = run.result()
        assert states[-1] == found
        assert [state.outcome for state in states[:-1]] == ["running"] * (len(states) - 1)
        return found


def test_a_good_version_is_promoted_within_its_steps() -> None:
    world = World(0.0)
    found = world.run()
    assert found.promoted
    assert [step.percent for step in found.steps] == [10, 25, 50, 100]
    assert {step.decision for step in found.steps} == {"good"}
    assert [each["v2"] for each in world.weights] == [10, 25, 50, 100]


def test_one_that_fails_a_fifth_is_rolled_back_in_the_first_step() -> None:
    for seed in range(50):
        world = World(0.2, seed=seed)
        found = world.run()
        assert found.outcome == "rolled back"
        assert [step.percent for step in found.steps] == [10]
        assert world.weights[-1] == {"v1": 100, "v2": 0}
        assert "the limit is 5%" in found.why


def test_one_in_five_hundred_is_no_reason() -> None:
    assert sum(World(0.002, seed=seed).run().promoted for seed in range(40)) >= 36


def test_without_visitors_it_gives_up_safely() -> None:
    world = World(0.0, rate=0)
    found = world.run(patience=10.0)
    assert found.outcome == "rolled back"
    assert "no decision after 10 s, only 0 requests" in found.why
    assert "it takes 73" in found.why
    assert world.weights[-1]["v2"] == 0


def test_an_interrupt_and_an_error_give_everything_back() -> None:
    world = World(0.0)

    def interrupt() -> None:
        if world.now > 2:
            raise KeyboardInterrupt

    world.on_sleep = interrupt
    assert world.run().outcome == "stopped"
    assert world.weights[-1] == {"v1": 100, "v2": 0}

    broken = World(0.0)

    def fail() -> None:
        raise OSError("no Prometheus")

    broken.on_sleep = fail
    with pytest.raises(OSError, match="no Prometheus"):
        broken.run()
    assert broken.weights[-1] == {"v1": 100, "v2": 0}


def test_plans_that_make_no_sense() -> None:
    for steps in ((), (10, 50), (50, 25, 100), (0, 100), (10, 10, 100)):
        with pytest.raises(RolloutError, match="do not rise"):
            canary.Plan("reviews", "v1", "v2", steps)
    with pytest.raises(RolloutError, match="not a share"):
        canary.Plan("reviews", "v1", "v2", limit=5)
    with pytest.raises(RolloutError, match="itself"):
        canary.Plan("reviews", "v1", "v1")


def test_few_requests_decide_nothing() -> None:
    assert judging.decide(Counts(), 0.05) == "wait"
    assert judging.decide(Counts(3, 3), 0.05) == "wait"
    assert judging.decide(Counts(20, 4), 0.05) == "bad"
    assert judging.decide(Counts(judging.enough(0.05) - 1), 0.05) == "wait"
    assert judging.decide(Counts(judging.enough(0.05) + 1), 0.05) == "good"
    assert Counts(5, 1).since(Counts(100, 2)) == Counts(5, 1)  # the pod is a new one
    assert Counts(105, 3).since(Counts(100, 2)) == Counts(5, 1)


def test_the_timeline_says_what_it_draws() -> None:
    good, bad = timeline.draw(World(0.0).run()), timeline.draw(World(0.2).run())
    assert (good.outcome, bad.outcome) == ("promoted", "rolled back")
    assert repr(good).splitlines()[0].startswith("canary of reviews: v1 → v2, promoted after")
    assert repr(bad).count("→ bad") == 1
    assert good.svg.count("fill-opacity='.35'") == 4
    assert good.svg.count("<circle") == len(good.canary.seen)
    assert "limit 5%" in bad.svg
    assert timeline.draw(canary.Canary(good.canary.plan, "up")).svg.startswith("<svg")
