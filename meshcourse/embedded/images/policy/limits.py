"""Rate limits: the rules of envoyproxy/ratelimit's configuration, and counting by them in fixed windows. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

#: Unit → (number in envoy.service.ratelimit.v3, seconds).
UNITS = {
    "second": (1, 1),
    "minute": (2, 60),
    "hour": (3, 3600),
    "day": (4, 86_400),
    "month": (5, 2_592_000),
    "year": (6, 31_536_000),
    "week": (7, 604_800),
}
Entries = Sequence[tuple[str, str]]


class ConfigError(Exception):
    """A configuration that makes no sense, and where."""


@dataclass(frozen=True, slots=True)
class Limit:
    """So many requests a unit of time."""

    requests: int
    unit: str

    @property
    def seconds(self) -> int:
        """The window's length."""
        return UNITS[self.unit][1]


@dataclass(slots=True)
class Rule:
    """A node of the tree: its own limit, and rules for further entries by (key, value); value "" fits any."""

    limit: Limit | None = None
    shadow: bool = False
    rules: dict[tuple[str, str], Rule] = field(default_factory=dict)


def parse(config: Any) -> tuple[str, Rule]:
    """A configuration file's domain and rules.

    :raises ConfigError: if it is none.
    """
    if not isinstance(config, Mapping) or not config.get("domain"):
        raise ConfigError("config file cannot have empty domain")
    return str(config["domain"]), Rule(
        rules=_rules(config.get("descriptors") or [], str(config["domain"]))
    )


def _rules(descriptors: Any, where: str) -> dict[tuple[str, str], Rule]:
    found: dict[tuple[str, str], Rule] = {}
    for descriptor in descriptors:
        if not isinstance(descriptor, Mapping) or not descriptor.get("key"):
            raise ConfigError(f"{where}: descriptor has empty key")
        key, value = str(descriptor["key"]), str(descriptor.get("value") or "")
        path = f"{where}.{key}" + (f"_{value}" if value else "")
        if (key, value) in found:
            raise ConfigError(f"{path}: duplicate descriptor composite key")
        limit = _limit(descriptor.get("rate_limit"), path)
        below = _rules(descriptor.get("descriptors") or [], path)
        found[key, value] = Rule(limit, bool(descriptor.get("shadow_mode")), below)
    return found


def _limit(config: Any, where: str) -> Limit | None:
    if not config or config.get("unlimited"):
        return None
    unit = str(config.get("unit", "")).lower()
    if unit not in UNITS:
        raise ConfigError(f"{where}: invalid rate limit unit '{unit}'")
    return Limit(int(config.get("requests_per_unit", 0)), unit)


def find(rule: Rule, entries: Entries) -> Rule | None:
    """The rule for a request's entries: each with its value, else with any value."""
    for key, value in entries:
        below = rule.rules.get((key, value)) or rule.rules.get((key, ""))
        if below is None:
            return None
        rule = below
    return rule if rule.limit is not None else None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one descriptor: over or not, by which limit, how many are left, seconds until more."""

    over: bool = False
    limit: Limit | None = None
    remaining: int = 0
    reset: int = 0


class Counter:
    """Counts hits in windows that begin at whole units of the clock."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._counts: dict[tuple[str, tuple[tuple[str, str], ...], int], int] = {}

    def hit(self, domain: str, rule: Rule | None, entries: Entries, hits: int = 1) -> Verdict:
        """Count hits against a rule; no rule, no limit."""
        if rule is None or rule.limit is None:
            return Verdict()
        now = int(self._clock())
        window = now - now % rule.limit.seconds
        key = (domain, tuple(entries), window)
        count = self._counts[key] = self._counts.get(key, 0) + hits
        self._forget(now)
        over = count > rule.limit.requests and not rule.shadow
        remaining = max(rule.limit.requests - count, 0)
        return Verdict(over, rule.limit, remaining, window + rule.limit.seconds - now)

    def _forget(self, now: int) -> None:
        """Windows of yesterday are not kept for ever."""
        if len(self._counts) > 10_000:
            self._counts = {
                key: count for key, count in self._counts.items() if key[2] >= now - 86_400
            }
