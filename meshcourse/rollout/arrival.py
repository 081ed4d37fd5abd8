"""When did a new split arrive? Told from the answers alone, so on any cluster and by one clock. Pure.

Each answer was routed by the old weights or by the new ones, and there is one moment between. Its probability given
all answers (Bayes' rule, every moment alike before; a change point of two known distributions) is what is returned:
one answer from a version that had weight 0 says it exactly, shares that both splits know say it roughly.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

#: What the generator overtakes: a request sent earlier may be routed a little later than the next.
_STRAY = 1e-4
#: Answers beyond these add nothing to what is known of the beginning.
_ENOUGH = 2000
#: Requests sent within so many seconds of the first may still have been under way to the old rule.
STRAGGLE = 1.0


@dataclass(frozen=True, slots=True)
class Arrival:
    """When the first request was sent that the new split routed: the likeliest moment and its interval (95 %).

    All in seconds after the change; requests sent from `settled` on were routed by the new split.
    """

    seconds: float
    low: float
    high: float
    settled: float

    def __str__(self) -> str:
        exact = self.high - self.low < 0.05
        between = (
            "" if exact else f" (between {self.low * 1000:.0f} and {self.high * 1000:.0f} ms, 95 %)"
        )
        return f"first request on the new split after {self.seconds * 1000:.0f} ms{between}"


def arrival(
    answers: Sequence[tuple[float, str]], before: Mapping[str, float], after: Mapping[str, float]
) -> Arrival | None:
    """When the change arrived; None if it has not, or if nothing would tell (the same weights, or unknown ones).

    :param answers: seconds after the change at which each request was sent, ascending, and what answered.
    :param before: label → weight, as `after`.
    """
    old, new = _shares(before), _shares(after)
    if not old or not new or old == new or not answers:
        return None
    said = answers[:_ENOUGH]
    gains = [_log(old, label) - _log(new, label) for _, label in said]
    # The evidence that the new split began with answer k; the last k means: not yet.
    evidence = [0.0, *itertools.accumulate(gains)]
    best = max(range(len(evidence)), key=evidence.__getitem__)
    if best == len(said):
        return None
    low, high = _bounds([math.exp(value - evidence[best]) for value in evidence])
    if high == len(said):  # it may still be a whim of chance
        return None
    times = [at for at, _ in said]
    wrong = [at for at, label in said if new.get(label, 0.0) == 0.0 and label in old]
    straggling = [at for at in wrong if at <= times[best] + STRAGGLE]
    settled = max([times[high], *(math.nextafter(at, math.inf) for at in straggling)])
    return Arrival(
        times[best], min(times[low], times[best]), max(times[high], times[best]), settled
    )


def _shares(weights: Mapping[str, float]) -> dict[str, float]:
    total = sum(weights.values())
    return {label: weight / total for label, weight in weights.items() if weight} if total else {}


def _log(shares: Mapping[str, float], label: str) -> float:
    return math.log(max(shares.get(label, 0.0), _STRAY))


def _bounds(likelihood: Sequence[float]) -> tuple[int, int]:
    """The first and the last index of the middle 95 %."""
    total = sum(likelihood)
    rising = list(itertools.accumulate(likelihood))
    low = next(i for i, value in enumerate(rising) if value >= 0.025 * total)
    high = next(i for i, value in enumerate(rising) if value >= 0.975 * total)
    return low, high
