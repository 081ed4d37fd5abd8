"""What an explanation consists of: a station for each proxy, and the verdict."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from meshcourse.simulate import Outcome, Step

#: What Envoy's response flags mean, for those that the simulator gives.
FLAGS = {
    "NR": "no route",
    "NC": "no such cluster",
    "UH": "no healthy upstream",
    "UF": "connection failed",
    "UAEX": "denied by policy",
    "FI": "fault injected",
}


@dataclass(frozen=True, slots=True)
class Station:
    """One proxy (or its absence) on the way.

    :param where: ``productpage-v1-abc (outbound)``.
    :param outcome: where the request ended there.
    """

    where: str
    outcome: Outcome


@dataclass(frozen=True)
class Explanation:
    """Where a request would go, and why.

    :param question: the request in words.
    :param stations: the proxies in order.
    :param verdict: what becomes of it.
    :param failure: why it fails, in words; "" if it arrives.
    :param hints: what would have to be different.
    :param status: the status that a proxy answers with; None if the application answers, or nobody.
    """

    question: str
    stations: tuple[Station, ...]
    verdict: str
    failure: str = ""
    hints: tuple[str, ...] = ()
    status: int | None = None

    @property
    def ok(self) -> bool:
        """Whether an application (or a proxy on purpose: a redirect, a direct response) answers."""
        return not self.failure

    @property
    def steps(self) -> tuple[Step, ...]:
        """All steps at all proxies."""
        return tuple(step for one in self.stations for step in one.outcome.steps)

    def step(self, kind: str) -> str:
        """The name of the first step of a kind: ``explanation.step("route")``; "" if there was none."""
        return next((one.name for one in self.steps if one.kind == kind), "")

    def lines(self) -> Iterator[str]:
        """The explanation as text."""
        yield self.question
        for station in self.stations:
            yield f"  {station.where}"
            for step in station.outcome.steps:
                detail = f"  ({_short(step.detail)})" if step.detail else ""
                yield f"    {step.kind:<20} {step.name}{detail}"
        yield f"{'→' if self.ok else '✗'} {self.verdict}"
        for hint in self.hints:
            yield f"    {hint}"

    def __str__(self) -> str:
        return "\n".join(self.lines())

    __repr__ = __str__


def _short(detail: str) -> str:
    """Istio's note of an object, as people write it: ``VirtualService reviews in default``."""
    parts = detail.split("/")
    if detail.startswith("/apis/") and len(parts) == 8:
        kind = "".join(word.capitalize() for word in parts[6].split("-"))
        return f"{kind} {parts[7]} in {parts[5]}"
    return detail


def readable(hint: str) -> str:
    """A hint with the names of objects as people write them."""
    return " ".join(_short(word) for word in hint.split(" "))
