"""Locality load balancing settings."""

from __future__ import annotations

from typing import Final

from meshcourse.embedded.istio.validate.findings import Findings, Spec, Warn, items

_TOPOLOGY: Final = frozenset(
    (
        "topology.kubernetes.io/region",
        "topology.kubernetes.io/zone",
        "topology.istio.io/subzone",
    )
)


def check(setting: Spec | None, outlier: Spec | None) -> Findings:
    """LocalityLoadBalancerSetting; failover needs outlier detection."""
    if setting is None:
        return
    distribute, failover = items(setting.get("distribute")), items(setting.get("failover"))
    priority = items(setting.get("failoverPriority"))
    if distribute and failover:
        yield "can not simultaneously specify 'distribute' and 'failover'"
        return
    clash = next((one for one in priority if one in _TOPOLOGY), None)
    if failover and clash:
        yield (
            f"can not simultaneously set 'failover' and topology label '{clash}' "
            "in 'failover_priority'"
        )
        return
    problems = list(_distribution(distribute))
    yield from problems
    if problems:
        return
    yield from _overlaps([str(one.get("from") or "") for one in distribute])
    if (failover or priority) and outlier is None:
        yield Warn("outlier detection policy must be provided for failover")
    for one in failover:
        yield from _failover(str(one.get("from") or ""), str(one.get("to") or ""))


def _distribution(distribute: list[Spec]) -> Findings:
    for one in distribute:
        weights = one.get("to") or {}
        if any(not 0 < int(weight) <= 100 for weight in weights.values()):
            yield "locality weight must be in range [1, 100]"
            return
        total = sum(int(weight) for weight in weights.values())
        if total != 100:
            yield f"total locality weight {total} != 100"
            return
        yield from _overlaps(list(weights))


def _failover(source: str, target: str) -> Findings:
    if source == target:
        yield "locality lb failover settings must specify different regions"
    if "/" in source or "/" in target:
        yield "locality lb failover only specify region"
    if "*" in source or "*" in target:
        yield "locality lb failover region should not contain '*' wildcard"


def _overlaps(localities: list[str]) -> Findings:
    """Each must be well formed and none may contain an earlier one (or be contained)."""
    seen: list[list[str]] = []
    for text in localities:
        if "*" in text and (text.count("*") > 1 or not text.endswith("*")):
            yield f"locality {text} wildcard '*' number can not exceed 1 and must be in the end"
            return
        parts = text.split("/", 2)
        if not all(parts):
            yield f"locality {text} must not contain empty region/zone/subzone info"
            return
        if any(_overlap(parts, one) for one in seen):
            yield f"locality {text} overlap with previous specified ones"
            return
        seen.append(parts)


def _overlap(left: list[str], right: list[str]) -> bool:
    for one, two in zip(left, right, strict=False):
        if one == "*" or two == "*":
            return True
        if one != two:
            return False
    return True
