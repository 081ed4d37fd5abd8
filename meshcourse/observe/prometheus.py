"""A client of Prometheus' HTTP API, real or stand-in, and what it answers as values a notebook shows.

Source: prometheus.io, "HTTP API".
"""

from __future__ import annotations

import html
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from meshcourse.observe import web
from meshcourse.observe.web import AddonError

Labels = dict[str, str]


@dataclass(frozen=True, slots=True)
class Sample:
    """One element of an instant vector."""

    labels: Labels
    value: float


@dataclass(frozen=True)
class Vector:
    """The answer to an instant query."""

    query: str
    samples: tuple[Sample, ...]

    @property
    def value(self) -> float:
        """The only value; 0 if there is nothing (a counter that never rose has no series).

        :raises AddonError: if there are several.
        """
        if len(self.samples) > 1:
            raise AddonError(
                f"the query has {len(self.samples)} results, not one",
                remedy="Put sum(…) around it, or look at each: for sample in result.",
            )
        return self.samples[0].value if self.samples else 0.0

    def by(self, *names: str) -> dict[str, float]:
        """Values by label: ``by("response_code")``; several labels are joined with a space."""
        return {
            " ".join(sample.labels.get(name, "") for name in names): sample.value
            for sample in self.samples
        }

    def __iter__(self) -> Iterator[Sample]:
        return iter(self.samples)

    def __len__(self) -> int:
        return len(self.samples)

    def _rows(self) -> list[tuple[str, str]]:
        return [(_shown(sample.labels), _number(sample.value)) for sample in self.samples]

    def __repr__(self) -> str:
        rows = self._rows()
        width = max((len(name) for name, _ in rows), default=0)
        return "\n".join(f"{name.ljust(width)}  {value:>12}" for name, value in rows) or "no data"

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td style='text-align:left'><code>{html.escape(name)}</code></td><td>{value}</td></tr>"
            for name, value in self._rows()
        )
        return f"<table>{rows}</table>" if rows else "<i>no data</i>"


@dataclass(frozen=True, slots=True)
class Series:
    """One line of a range query: times in seconds since the epoch."""

    labels: Labels
    times: tuple[float, ...]
    values: tuple[float, ...]


@dataclass(frozen=True)
class Matrix:
    """The answer to a range query."""

    query: str
    start: float
    end: float
    series: tuple[Series, ...]

    def __iter__(self) -> Iterator[Series]:
        return iter(self.series)

    def __len__(self) -> int:
        return len(self.series)

    def __repr__(self) -> str:
        lines = [f"{len(self.series)} series over {self.end - self.start:.0f} s"]
        lines += [
            f"  {_shown(each.labels)}: {len(each.values)} points, last {_number(each.values[-1])}"
            for each in self.series
        ]
        return "\n".join(lines)


class Prometheus:
    """One Prometheus.

    :param base: its URL, looked up again for each question (port-forwards may move).
    """

    def __init__(self, base: Callable[[], str]) -> None:
        self._base = base

    def query(self, query: str, at: float | None = None) -> Vector:
        """Evaluate now, or at a time in seconds since the epoch.

        :raises AddonError: in Prometheus' words, if it refuses the query.
        """
        params = {"query": query, **({"time": str(at)} if at is not None else {})}
        data = self._ask("query", params)
        if data["resultType"] == "matrix":
            raise AddonError(
                "this query gives a range of samples for each series",
                remedy="Put rate(…) or another function around the [range].",
            )
        if data["resultType"] in ("scalar", "string"):
            return Vector(query, (Sample({}, float(data["result"][1])),))
        return Vector(
            query, tuple(Sample(row["metric"], float(row["value"][1])) for row in data["result"])
        )

    def range(
        self,
        query: str,
        *,
        minutes: float = 5.0,
        step: float | None = None,
        end: float | None = None,
    ) -> Matrix:
        """Evaluate over the last `minutes`, every `step` seconds (default: 120 points).

        :raises AddonError: in Prometheus' words, if it refuses the query.
        """
        last = time.time() if end is None else end
        first = last - minutes * 60
        every = max(1.0, minutes * 60 / 120) if step is None else step
        data = self._ask(
            "query_range",
            {"query": query, "start": str(first), "end": str(last), "step": str(every)},
        )
        return Matrix(query, first, last, tuple(_series(row) for row in data["result"]))

    def reaches(self, query: str, value: float, *, seconds: float = 60.0) -> float:
        """Wait until a query's only value is at least `value`; returns the seconds that it took.

        :raises AddonError: if it is not after `seconds`.
        """
        started = time.monotonic()
        while (found := self.query(query).value) < value:
            if time.monotonic() - started > seconds:
                raise AddonError(
                    f"{query} is {found:g} after {seconds:.0f} s, not {value:g}",
                    remedy="Is everything scraped? `mesh.promql('up')`.",
                )
            time.sleep(0.1)
        return time.monotonic() - started

    def settled(self, query: str, *, seconds: float = 90.0) -> Vector:
        """The answer, when it has not changed for two scrapes and the second in which Envoys pass numbers on.

        A Prometheus that has just come up knows of no target for some seconds: it does not count as quiet.

        :raises AddonError: if it still changes after `seconds`.
        """
        quiet = 2 * self.scrape_interval() + 1.5
        started = changed = time.monotonic()
        found, targets = self.query(query), self.query("count(up == 1)").value
        while not targets or time.monotonic() - changed < quiet:
            time.sleep(0.2)
            now, up = self.query(query), self.query("count(up == 1)").value
            if now.samples != found.samples or up != targets:
                found, targets, changed = now, up, time.monotonic()
            if time.monotonic() - started > seconds:
                raise AddonError(
                    f"{query} still changes after {seconds:.0f} s",
                    remedy="Does traffic from an earlier cell still run?",
                )
        return found

    def scrape_interval(self) -> float:
        """How often it scrapes, in seconds: what a reader has to wait for new numbers."""
        text = self._ask("status/config", {})["yaml"]
        for line in text.splitlines():
            name, _, value = line.strip().partition(":")
            if name == "scrape_interval":
                return _duration(value.strip())
        return 60.0

    def _ask(self, path: str, params: dict[str, str]) -> Any:
        answer = web.get("Prometheus", f"{self._base()}/api/v1/{path}", params)
        return answer["data"]


def _series(row: Any) -> Series:
    points = row["values"]
    return Series(
        row["metric"],
        tuple(float(at) for at, _ in points),
        tuple(float(value) for _, value in points),
    )


def _duration(text: str) -> float:
    units = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
    unit = next(unit for unit in units if text.endswith(unit))
    return float(text.removesuffix(unit)) * units[unit]


def _shown(labels: Labels) -> str:
    name = labels.get("__name__", "")
    rest = ", ".join(f'{key}="{value}"' for key, value in labels.items() if key != "__name__")
    return f"{name}{{{rest}}}" if rest else name or "{}"


def _number(value: float) -> str:
    if math.isnan(value) or math.isinf(value):
        return str(value)
    return f"{value:.0f}" if value == int(value) else f"{value:.4g}"
