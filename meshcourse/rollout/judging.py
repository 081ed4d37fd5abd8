"""Is a version good enough? Counts of requests and errors, and a decision. Pure.

The error rate is judged by its interval, not by itself: 1 failure of 3 is no reason to roll back, 0 of 3 none to go on.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from meshcourse.observe import stats

Decision = Literal["good", "bad", "wait"]
#: Nothing is called bad by fewer requests. It is looked at again and again; the first few would often mislead.
LEAST = 20


@dataclass(frozen=True, slots=True)
class Counts:
    """Requests to a version, and how many of them failed."""

    requests: float = 0.0
    errors: float = 0.0

    def since(self, base: Counts) -> Counts:
        """What was added to `base`; everything, if a counter fell (its pod has started again)."""
        if self.requests < base.requests or self.errors < base.errors:
            return self
        return Counts(self.requests - base.requests, self.errors - base.errors)

    def rate(self, confidence: float = 0.95) -> stats.Interval:
        """The share of failures with its interval."""
        requests = round(self.requests)
        return stats.wilson(min(round(self.errors), requests), requests, confidence)


def decide(counts: Counts, limit: float) -> Decision:
    """Bad if the error rate is surely above `limit`, good if it is surely below, otherwise wait for more."""
    rate = counts.rate()
    if rate.low > limit and counts.requests >= LEAST:
        return "bad"
    return "good" if rate.high < limit else "wait"


def enough(limit: float) -> int:
    """How many requests without an error it takes to call a version good."""
    square = stats.z_of(0.95) ** 2
    return math.ceil(square * (1 / limit - 1))
