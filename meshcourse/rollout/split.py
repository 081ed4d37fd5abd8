"""A split as it was measured: what was wanted, what came out, when it arrived, what failed. Pure.

The same object from `moving.move`, from the widget and in tests.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass, field

from meshcourse.observe import bars, stats
from meshcourse.observe.result import Result, Sample
from meshcourse.rollout import weights as shares
from meshcourse.rollout.arrival import Arrival, arrival
from meshcourse.rollout.splitter import Shift
from meshcourse.rollout.weights import Weights

#: When each request was sent (seconds since the epoch), and what became of it.
Answers = Sequence[tuple[float, Sample]]


@dataclass(frozen=True, repr=False)
class Split:
    """What is known of one split.

    :param result: the requests that were sent after it had arrived.
    :param arrival: None if nothing was there to tell it by.
    :param sent: requests since the traffic began, before and after the change; `failed` of them.
    """

    host: str
    weights: Weights
    yaml: str = field(repr=False)
    result: Result
    arrival: Arrival | None = None
    sent: int = 0
    failed: int = 0

    @property
    def verdict(self) -> stats.Verdict:
        """Could what was seen come from the weights?"""
        return self.result.consistent_with(self.weights)

    def share(self, version: str, confidence: float = 0.95) -> stats.Interval:
        """The observed share of a version with its interval."""
        return self.result.share(version, confidence)

    def consistent_with(self, weights: Weights, confidence: float = 0.99) -> stats.Verdict:
        """Judge what was seen by other weights than those that were set."""
        return self.result.consistent_with(weights, confidence)

    @property
    def _lines(self) -> list[str]:
        lines = [f"{self.host}: {shares.words(self.weights)}"]
        lines += [f"  {self.arrival}"] if self.arrival else []
        return [*lines, f"  {self.sent} requests, before and after, {self.failed or 'none'} failed"]

    def __repr__(self) -> str:
        some = bool(self.result.versions)
        rows = [
            f"  {v:<6} {w:>3} % wanted" + (f", {self.share(v)} seen" if some else "")
            for v, w in self.weights.items()
        ]
        head, *rest = self._lines
        return "\n".join([f"{head}, at n = {sum(self.result.versions.values())}", *rows, *rest])

    def _repr_html_(self) -> str:
        rows = [
            bars.Bar(
                version, self.result.versions.get(version, 0), self.share(version), weight / 100
            )
            for version, weight in self.weights.items()
        ]
        notes = "".join(f"<div>{html.escape(line.strip())}</div>" for line in self._lines[1:])
        head = f"{self._lines[0]}; seen at n = {sum(self.result.versions.values())}:"
        return f"{bars.panel(head, rows)}<div style='font:13px system-ui,sans-serif'>{notes}</div>"


def judge(host: str, shift: Shift, url: str, answers: Answers) -> Split:
    """What is known of a split some time after its `shift`.

    :param answers: everything since the traffic began, in the order in which it was sent.
    """
    after = [(at - shift.at, sample) for at, sample in answers if at >= shift.at]
    labels = [(at, sample.label) for at, sample in after if sample.ok and sample.label]
    arrived = arrival(labels, shift.before, shift.weights)
    waiting = arrived is None and shift.changes
    since = arrived.settled if arrived else 0.0
    counted = () if waiting else tuple(sample for at, sample in after if at >= since)
    seconds = max((at for at, _ in after), default=since) - since
    result = Result(url, counted, seconds, shift.at + since)
    failed = sum(not sample.ok for _, sample in answers)
    return Split(host, shift.weights, shift.yaml, result, arrived, len(answers), failed)
