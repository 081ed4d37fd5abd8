"""The progressive canary: more and more visitors for a new version, as long as Prometheus finds few errors.

It knows no cluster: how weights are set, how requests are counted and what time it is come in from outside
(`release` joins them). Whatever goes wrong, the last thing it does is to give everything back to the stable version.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from meshcourse.observe.result import Result
from meshcourse.rollout import judging
from meshcourse.rollout.judging import Counts
from meshcourse.rollout.weights import RolloutError, Weights

Outcome = Literal["running", "promoted", "rolled back", "stopped"]


@dataclass(frozen=True, slots=True)
class Plan:
    """What to try.

    :param steps: the percents that the candidate gets, one after the other; the last one is 100.
    :param limit: the share of failed requests (0 to 1) that the candidate must stay below.
    :param patience: seconds in which a step must be decided; a canary that nobody visits learns nothing.
    :raises RolloutError: if the steps do not rise to 100, or the limit is no share.
    """

    host: str
    stable: str
    candidate: str
    steps: tuple[int, ...] = (10, 25, 50, 100)
    limit: float = 0.05
    patience: float = 60.0

    def __post_init__(self) -> None:
        rising = list(self.steps) == sorted(set(self.steps)) and self.steps[:1] > (0,)
        if not rising or self.steps[-1] != 100:
            raise RolloutError(f"steps {self.steps} do not rise from above 0 to 100")
        if not 0 < self.limit < 1:
            raise RolloutError(f"a limit of {self.limit:g} is not a share between 0 and 1")
        if self.stable == self.candidate:
            raise RolloutError("the candidate is the stable version itself")

    def weights(self, percent: int) -> Weights:
        """The weights of a step."""
        return {self.stable: 100 - percent, self.candidate: percent}


@dataclass(frozen=True, slots=True)
class Step:
    """One step: its percent, when it began (seconds after the start), how long it took, and what was counted in it."""

    percent: int
    began: float
    seconds: float
    counts: Counts
    decision: judging.Decision


@dataclass(frozen=True, slots=True)
class Canary:
    """How far it has come; the last one is the result.

    :param steps: the last one may be under way. :param seen: one entry each time that Prometheus was asked: when, and
        what it had counted in that step.
    :param why: the reason of the outcome, in words.
    :param visitors: what became of the requests that were sent meanwhile, if it sent them itself.
    """

    plan: Plan
    query: str
    steps: tuple[Step, ...] = ()
    seen: tuple[tuple[float, Counts], ...] = ()
    outcome: Outcome = "running"
    why: str = ""
    seconds: float = 0.0
    visitors: Result | None = None

    @property
    def promoted(self) -> bool:
        return self.outcome == "promoted"


#: How a canary touches the world.
SetWeights = Callable[[Weights], object]
Count = Callable[[], Counts]
Show = Callable[[Canary], None]


class Run:
    """One canary under way.

    :param every: seconds between two looks.
    """

    def __init__(
        self,
        plan: Plan,
        set_weights: SetWeights,
        count: Count,
        *,
        query: str = "",
        show: Show = lambda _found: None,
        every: float = 0.5,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._plan, self._set, self._count, self._show = plan, set_weights, count, show
        self._every, self._clock, self._sleep = every, clock, sleep
        self._state, self._began = Canary(plan, query), clock()

    def result(self) -> Canary:
        """Carry it out. An interrupt rolls back; so does an error, which is then raised."""
        try:
            for percent in self._plan.steps:
                why = self._step(percent)
                if why:
                    return self._back("rolled back", why)
        except KeyboardInterrupt:
            return self._back("stopped", "stopped by hand")
        except BaseException:
            self._set(self._plan.weights(0))
            raise
        return self._end("promoted", f"every step stayed below {self._plan.limit:.0%} errors")

    def _step(self, percent: int) -> str:
        """Give the candidate its share and wait for a decision; "" if it is good, else what is wrong."""
        base, began = self._count(), self._now()
        self._set(self._plan.weights(percent))
        done = self._state.steps
        while True:
            self._sleep(self._every)
            counts = self._count().since(base)
            decision, took = judging.decide(counts, self._plan.limit), self._now() - began
            step = Step(percent, began, took, counts, decision)
            seen = (*self._state.seen, (self._now(), counts))
            self._tell(replace(self._state, steps=(*done, step), seen=seen))
            if decision == "good":
                return ""
            if decision == "bad":
                return (
                    f"at {percent} %: {_share(counts)} failed, the limit is {self._plan.limit:.0%}"
                )
            if took > self._plan.patience:
                return _undecided(percent, counts, took, self._plan.limit)

    def _back(self, outcome: Outcome, why: str) -> Canary:
        self._set(self._plan.weights(0))
        return self._end(outcome, why)

    def _end(self, outcome: Outcome, why: str) -> Canary:
        self._tell(replace(self._state, outcome=outcome, why=why))
        return self._state

    def _tell(self, state: Canary) -> None:
        self._state = replace(state, seconds=self._now())
        self._show(self._state)

    def _now(self) -> float:
        return self._clock() - self._began


def words(found: Canary) -> Sequence[str]:
    """The same in words: a headline, and a line for each step."""
    plan = found.plan
    head = f"canary of {plan.host}: {plan.stable} → {plan.candidate}, {found.outcome}"
    lines = [f"{head} after {found.seconds:.1f} s" + (f" ({found.why})" if found.why else "")]
    lines += [
        f"  {step.percent:>3} %  {step.seconds:5.1f} s  {step.counts.requests:.0f} requests, "
        f"{_share(step.counts)} failed → {step.decision}"
        for step in found.steps
    ]
    return lines


def _share(counts: Counts) -> str:
    rate = counts.rate()
    if not counts.requests:
        return "none"
    return f"{rate.share:.1%} [{rate.low:.1%}, {rate.high:.1%}]"


def _undecided(percent: int, counts: Counts, took: float, limit: float) -> str:
    """Safety first: what cannot be called good is not released."""
    return (
        f"at {percent} %: no decision after {took:.0f} s, only {counts.requests:.0f} requests counted, "
        f"{_share(counts)} failed; without errors it takes {judging.enough(limit)}"
    )
