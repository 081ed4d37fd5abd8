"""Locality load balancing: which endpoints a client prefers, by where both of them run.

Source: istio.io "Locality Load Balancing", pilot's loadbalancer package. ``distribute`` sets
weights,
``failover`` and ``failoverPriority`` set priorities; the latter two (and the default: near before
far) need outlier detection, because Envoy leaves a priority only when its endpoints are unhealthy.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from meshcourse.embedded.istio.model import Endpoint, MeshConfig, Service

#: What a service's traffic distribution means: the labels that an endpoint should share.
_ZONE: Final = (
    "topology.istio.io/network",
    "topology.kubernetes.io/region",
    "topology.kubernetes.io/zone",
)
_DISTRIBUTIONS: Final = {
    "PreferClose": _ZONE,
    "PreferSameZone": _ZONE,
    "PreferSameNode": (*_ZONE, "topology.istio.io/subzone", "kubernetes.io/hostname"),
}


@dataclass(frozen=True, slots=True)
class Setting:
    """What applies to one cluster.

    :param written: LocalityLoadBalancerSetting.
    :param failover: whether priorities may be used.
    """

    written: Mapping[str, Any]
    failover: bool

    @property
    def weighted(self) -> bool:
        """Whether Envoy has to look at the weights of localities."""
        chosen = self.written.get("failover") or self.written.get("failoverPriority")
        return bool(self.written.get("distribute") or (self.failover and chosen))


def setting(policy: Mapping[str, Any], service: Service, mesh: MeshConfig) -> Setting | None:
    """The setting of a traffic policy, else of the service, else of the mesh; None if disabled."""
    failover = policy.get("outlierDetection") is not None
    own = (policy.get("loadBalancer") or {}).get("localityLbSetting")
    if own is not None:
        return None if own.get("enabled") is False else Setting(own, failover)
    if labels := _DISTRIBUTIONS.get(service.traffic_distribution):
        return Setting({"failoverPriority": list(labels)}, failover=True)
    return None if mesh.locality_lb.get("enabled") is False else Setting(mesh.locality_lb, failover)


def label_keys(
    settings: Iterable[Mapping[str, Any]], services: Iterable[Service]
) -> frozenset[str]:
    """The labels of clients that any priority looks at."""
    written = [one for found in settings for one in found.get("failoverPriority") or []]
    meant = {
        label for one in services for label in _DISTRIBUTIONS.get(one.traffic_distribution, ())
    }
    return frozenset(meant | {str(one).split("=", 1)[0] for one in written})


@dataclass(frozen=True, slots=True)
class Group:
    """Endpoints of one locality and priority.

    :param weight: of the locality.
    """

    locality: str
    members: tuple[Endpoint, ...]
    weight: int
    priority: int = 0


def groups(endpoints: Iterable[Endpoint]) -> list[Group]:
    """Endpoints by locality, in order of the localities' names."""
    found: dict[str, list[Endpoint]] = {}
    for one in endpoints:
        found.setdefault(one.locality, []).append(one)
    return [_group(name, found[name]) for name in sorted(found)]


def _group(locality: str, members: Sequence[Endpoint], priority: int = 0) -> Group:
    weight = sum(one.weight or 1 for one in members)
    return Group(locality, tuple(members), weight, priority)


@dataclass(frozen=True, slots=True)
class Client:
    """Who balances: the locality of its proxy and the labels that priorities look at."""

    locality: str
    labels: Mapping[str, str]


def arrange(found: list[Group], client: Client, chosen: Setting) -> list[Group]:
    """The groups with the weights and priorities that the client gives them."""
    written = chosen.written
    if written.get("distribute"):
        return _distributed(found, client.locality, written["distribute"])
    if not chosen.failover:
        return found
    if labels := written.get("failoverPriority"):
        found = _without_gaps([part for one in found for part in _by_labels(one, client, labels)])
        if not written.get("failover"):
            return found
    return _by_distance(found, client.locality, written.get("failover") or [])


def _distributed(
    found: list[Group], client: str, rules: Sequence[Mapping[str, Any]]
) -> list[Group]:
    rule = next((one for one in rules if matches(client, str(one.get("from") or ""))), None)
    if rule is None:
        return found
    rest = list(found)
    result: list[Group] = []
    for pattern, share in (rule.get("to") or {}).items():
        chosen = [one for one in rest if matches(one.locality, pattern)]
        rest = [one for one in rest if one not in chosen]
        total = sum(one.weight for one in chosen)
        result += [replace(one, weight=math.ceil(one.weight * share / total)) for one in chosen]
    return sorted((one for one in result if one.weight), key=lambda one: one.locality)


def matches(locality: str, pattern: str) -> bool:
    """Whether a locality is one of those that ``region/zone/*`` stands for."""
    parts = [*locality.split("/"), "", ""]
    wanted = pattern.split("/")
    return all(
        one == "*" or one == parts[number] or (not one and number)
        for number, one in enumerate(wanted[:3])
    )


def _by_labels(group: Group, client: Client, labels: Sequence[str]) -> Iterator[Group]:
    """One group for each number of labels that endpoints share with the client, in order."""
    parts: dict[int, list[Endpoint]] = {}
    for one in group.members:
        parts.setdefault(_priority(dict(one.labels), client.labels, labels), []).append(one)
    for priority, members in sorted(parts.items()):
        yield _group(group.locality, members, priority)


def _priority(own: Mapping[str, str], client: Mapping[str, str], labels: Sequence[str]) -> int:
    for number, text in enumerate(labels):
        label, fixed, value = text.partition("=")
        if (value if fixed else client.get(label, "")) != own.get(label, ""):
            return len(labels) - number
    return 0


def _by_distance(
    found: list[Group], client: str, rules: Sequence[Mapping[str, Any]]
) -> list[Group]:
    region = client.split("/")[0]
    target = next((str(one.get("to")) for one in rules if one.get("from") == region), None)

    def priority(one: Group) -> int:
        distance = _distance(client, one.locality)
        elsewhere = target is not None and one.locality.split("/")[0] != target
        # Five distances fit between the priorities that are there already.
        return one.priority * 5 + (4 if distance == 3 and elsewhere else distance)

    return _without_gaps([replace(one, priority=priority(one)) for one in found])


def _distance(client: str, other: str) -> int:
    """0 same subzone, 1 same zone, 2 same region, 3 elsewhere."""
    left, right = ([*one.split("/"), "", ""][:3] for one in (client, other))
    same = next((number for number in range(3) if left[number] != right[number]), 3)
    return 3 - same


def _without_gaps(found: list[Group]) -> list[Group]:
    """Envoy wants priorities from 0 without gaps."""
    order = {one: number for number, one in enumerate(sorted({it.priority for it in found}))}
    return [replace(one, priority=order[one.priority]) for one in found]
