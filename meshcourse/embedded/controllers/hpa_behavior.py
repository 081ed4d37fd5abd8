"""From the number of replicas that metrics ask for to the one that is set: windows, rates, bounds. Pure.

Source: Kubernetes documentation, "Horizontal Pod Autoscaling", section "Configurable scaling behavior"; reasons and
messages of the conditions as the controller words them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from meshcourse.embedded.kube import objects
from meshcourse.embedded.kube.objects import Object


@dataclass(frozen=True, slots=True)
class Policy:
    """At most `value` pods or percent within `period` seconds."""

    type: str
    value: int
    period: float


@dataclass(frozen=True, slots=True)
class Rules:
    """One direction. `select` is ``Max``, ``Min`` or ``Disabled``; `window` in seconds."""

    window: float
    select: str
    policies: tuple[Policy, ...]


@dataclass(frozen=True, slots=True)
class Reason:
    """A condition's reason and message; `limited` says that it took effect."""

    reason: str
    message: str
    limited: bool = False


@dataclass(slots=True)
class History:
    """What an autoscaler remembers: ``(when, replicas)`` recommended, ``(when, how many)`` added and removed."""

    recommended: list[tuple[float, int]] = field(default_factory=list)
    added: list[tuple[float, int]] = field(default_factory=list)
    removed: list[tuple[float, int]] = field(default_factory=list)

    def note_change(self, before: int, after: int, now: float, keep: float) -> None:
        """Remember a change of size for `keep` seconds."""
        changes = self.added if after > before else self.removed
        changes[:] = [change for change in changes if change[0] > now - keep]
        changes.append((now, abs(after - before)))


READY = Reason("ReadyForNewScale", "recommended size matches current size")
_LOWEST = Reason(
    "ScaleUpStabilized",
    "recent recommendations were lower than current one, applying the lowest recent recommendation",
    limited=True,
)
_HIGHEST = Reason(
    "ScaleDownStabilized",
    "recent recommendations were higher than current one, applying the highest recent recommendation",
    limited=True,
)
_WITHIN = Reason("DesiredWithinRange", "the desired count is within the acceptable range")
_TOO_FAST = "the desired replica count is {} faster than the maximum scale rate"
_UP_LIMIT = Reason("ScaleUpLimit", _TOO_FAST.format("increasing"), limited=True)
_DOWN_LIMIT = Reason("ScaleDownLimit", _TOO_FAST.format("decreasing"), limited=True)
_TOO_MANY = Reason(
    "TooManyReplicas",
    "the desired replica count is more than the maximum replica count",
    limited=True,
)
_TOO_FEW = Reason(
    "TooFewReplicas",
    "the desired replica count is less than the minimum replica count",
    limited=True,
)


def rules(hpa: Object, down_window: float) -> tuple[Rules, Rules]:
    """The rules up and down, with Kubernetes' defaults for what is not said.

    :param down_window: seconds of the window down where the object names none.
    """
    up = objects.dig(hpa, "spec.behavior.scaleUp", {})
    down = objects.dig(hpa, "spec.behavior.scaleDown", {})
    percent = Policy("Percent", 100, 15)
    return (
        _direction(up, 0.0, (percent, Policy("Pods", 4, 15))),
        _direction(down, down_window, (percent,)),
    )


def _direction(found: Object, window: float, policies: tuple[Policy, ...]) -> Rules:
    said = found.get("stabilizationWindowSeconds")
    listed = [
        Policy(one["type"], int(one["value"]), float(one["periodSeconds"]))
        for one in found.get("policies") or []
    ]
    return Rules(
        window if said is None else float(said),
        found.get("selectPolicy") or "Max",
        tuple(listed) or policies,
    )


def stabilize(
    desired: int, current: int, up: Rules, down: Rules, history: History, now: float
) -> tuple[int, Reason]:
    """The most cautious of the recommendations within the window, and remember this one."""
    if not history.recommended:  # after a restart: what is there was recommended by somebody
        history.recommended.append((now, current))
    recent_up = [n for at, n in history.recommended if at > now - up.window]
    recent_down = [n for at, n in history.recommended if at > now - down.window]
    keep = max(up.window, down.window)
    history.recommended = [r for r in history.recommended if r[0] > now - keep]
    history.recommended.append((now, desired))
    if desired >= current:
        stable, reason = max(current, min([desired, *recent_up])), _LOWEST
    else:
        stable, reason = min(current, max([desired, *recent_down])), _HIGHEST
    return stable, reason if stable != desired else READY


def limit(
    desired: int,
    current: int,
    bounds: tuple[int, int],
    up: Rules,
    down: Rules,
    history: History,
    now: float,
) -> tuple[int, Reason]:
    """`desired` within the rates of change and within `bounds` (least, most)."""
    least, most = bounds
    if desired > current:
        fastest = max(current, _fastest_up(current, up, history, now))
        highest = min(most, fastest)
        if desired > highest:
            return highest, _UP_LIMIT if fastest < most else _TOO_MANY
    if desired < current:
        fastest = min(current, _fastest_down(current, down, history, now))
        lowest = max(least, fastest)
        if desired < lowest:
            return lowest, _DOWN_LIMIT if fastest > least else _TOO_FEW
    if desired < least:
        return least, _TOO_FEW
    return (most, _TOO_MANY) if desired > most else (desired, _WITHIN)


def _fastest_up(current: int, rule: Rules, history: History, now: float) -> int:
    def reach(policy: Policy) -> int:
        start = current - _changed(history.added, policy, now)
        start += _changed(history.removed, policy, now)
        if policy.type == "Pods":
            return start + policy.value
        return math.ceil(start * (1 + policy.value / 100))

    return _select(current, rule, reach, {"Max": max, "Min": min})


def _fastest_down(current: int, rule: Rules, history: History, now: float) -> int:
    def reach(policy: Policy) -> int:
        start = current + _changed(history.removed, policy, now)
        start -= _changed(history.added, policy, now)
        if policy.type == "Pods":
            return start - policy.value
        return int(start * (1 - policy.value / 100))

    return _select(current, rule, reach, {"Max": min, "Min": max})


def _select(
    current: int,
    rule: Rules,
    reach: Callable[[Policy], int],
    choose: dict[str, Callable[[Sequence[int]], int]],
) -> int:
    if rule.select == "Disabled":
        return current
    return choose[rule.select]([reach(policy) for policy in rule.policies])


def _changed(changes: Sequence[tuple[float, int]], policy: Policy, now: float) -> int:
    return sum(count for at, count in changes if at > now - policy.period)


def longest(rule: Rules) -> float:
    """How long changes must be remembered, seconds."""
    return max((policy.period for policy in rule.policies), default=0.0)
