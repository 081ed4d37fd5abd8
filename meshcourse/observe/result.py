"""What a run of traffic showed: counts by version and status with intervals, latencies, errors. Pure.

The same object whether it was measured in a notebook, in a test or from the command line.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from meshcourse.observe import bars, stats

#: How answers of a version that could not be told are counted.
UNKNOWN = "?"


@dataclass(frozen=True, slots=True)
class Sample:
    """One request.

    :param due: when the schedule wanted it sent, in seconds after the start of the run.
    :param sent: when it was sent; later than `due` if the generator could not keep up.
    :param done: when its answer had been read.
    :param status: HTTP status code, 0 if there was no answer.
    :param label: what the classifier said of the answer ("" if it said nothing).
    :param error: what went wrong, if there was no answer.
    """

    due: float
    sent: float
    done: float
    status: int
    label: str = ""
    error: str = ""

    @property
    def latency(self) -> float:
        """Seconds from when the request was *due*, so that a slow server cannot hide behind a late schedule."""
        return self.done - self.due

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 400


@dataclass(frozen=True)
class Result:
    """The samples of one run and what can be said about them.

    :param url: what was asked.
    :param samples: in the order of the schedule.
    :param seconds: from the first request due to the last answer read.
    :param started: wall-clock time of the start (seconds since the epoch).
    :param stopped: the run was ended before its schedule was.
    :param agent: the user agent that its requests named, by which logs and traces know them.
    """

    url: str
    samples: Sequence[Sample] = field(repr=False)
    seconds: float
    started: float = 0.0
    stopped: bool = False
    agent: str = ""

    @property
    def n(self) -> int:
        """Requests sent."""
        return len(self.samples)

    @property
    def versions(self) -> dict[str, int]:
        """How many good answers came from each version, by label."""
        labels = Counter(sample.label or UNKNOWN for sample in self.samples if sample.ok)
        if set(labels) <= {UNKNOWN}:
            return {}
        return dict(sorted(labels.items()))

    @property
    def statuses(self) -> dict[int, int]:
        """How many answers had each status code; 0 counts requests without an answer."""
        return dict(sorted(Counter(sample.status for sample in self.samples).items()))

    @property
    def errors(self) -> dict[str, int]:
        """What went wrong and how often: status codes of 400 and more, and failed connections by reason."""
        found = Counter(
            sample.error or f"HTTP {sample.status}" for sample in self.samples if not sample.ok
        )
        return dict(found.most_common())

    @property
    def failed(self) -> int:
        """Requests without an answer, and answers with a status code of 400 or more."""
        return sum(not sample.ok for sample in self.samples)

    @property
    def rate(self) -> float:
        """Answers per second."""
        return self.n / self.seconds if self.seconds > 0 else math.nan

    def share(self, label: str, confidence: float = 0.95) -> stats.Interval:
        """The share of a version among the good answers, with its Wilson interval."""
        versions = self.versions
        return stats.wilson(versions.get(label, 0), sum(versions.values()), confidence)

    def slower(self, seconds: float, confidence: float = 0.95) -> stats.Interval:
        """The share of requests that took longer, with its Wilson interval."""
        return stats.wilson(
            sum(item.latency > seconds for item in self.samples), self.n, confidence
        )

    def consistent_with(
        self, expected: Mapping[str, float], confidence: float = 0.99
    ) -> stats.Verdict:
        """Judge the observed split against weights, for example ``{"v1": 80, "v3": 20}``."""
        return stats.split_plausible(self.versions, expected, confidence)

    def latency(self, q: float = 0.5) -> float:
        """The `q`-quantile of the latency of answered requests, in seconds."""
        return stats.quantile([sample.latency for sample in self.samples if sample.status], q)

    def convergence(self, changed: float, expected: set[str]) -> stats.Convergence:
        """How a change made at wall-clock time `changed` (``time.time()``) arrived.

        :param expected: labels that are right after the change. Only good answers count.
        """
        answers = [(self.started + item.sent, item.label) for item in self.samples if item.ok]
        return stats.convergence(answers, changed, expected)

    def __repr__(self) -> str:
        return "\n".join([self._headline(), *self._split_lines(), *self._error_lines()])

    def _repr_html_(self) -> str:
        rows = [
            bars.Bar(label, count, self._interval(label)) for label, count in self._shown().items()
        ]
        return bars.panel(self._headline(), rows, self._error_lines())

    def _headline(self) -> str:
        quantiles = ", ".join(
            f"p{round(q * 100)} {self.latency(q) * 1000:.0f} ms" for q in (0.5, 0.95, 0.99)
        )
        ended = ", stopped early" if self.stopped else ""
        failed = f"{self.failed} failed" if self.failed else "none failed"
        return (
            f"{self.n} requests in {self.seconds:.1f} s ({self.rate:.0f}/s{ended}), "
            f"{failed}, {quantiles}"
        )

    def _shown(self) -> dict[str, int]:
        return self.versions or {str(code or "no answer"): n for code, n in self.statuses.items()}

    def _interval(self, label: str) -> stats.Interval:
        shown = self._shown()
        return stats.wilson(shown.get(label, 0), sum(shown.values()))

    def _split_lines(self) -> list[str]:
        return [
            f"  {label:<10} {count:>6}  {self._interval(label)}"
            for label, count in self._shown().items()
        ]

    def _error_lines(self) -> list[str]:
        return [f"  failed {count} ×: {reason}" for reason, count in self.errors.items()]
