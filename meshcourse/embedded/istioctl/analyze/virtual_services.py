"""VirtualServices: conflicting hosts, destinations that do not exist, subsets that nobody defines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from meshcourse.embedded.istio import hosts as names
from meshcourse.embedded.istioctl.analyze import hosts
from meshcourse.embedded.istioctl.analyze.analyzer import Analyzer
from meshcourse.embedded.istioctl.analyze.codes import report
from meshcourse.embedded.istioctl.analyze.collection import Collection
from meshcourse.embedded.istioctl.analyze.hosts import Scoped, Target
from meshcourse.embedded.istioctl.analyze.item import Item, lists, maps
from meshcourse.embedded.istioctl.analyze.mesh import MESH
from meshcourse.embedded.istioctl.analyze.messages import Messages

_MISSING: Final = "ReferencedResourceNotFound"


@dataclass(frozen=True, slots=True)
class Destination:
    """One destination of a rule, and the path of its host."""

    host: str
    subset: str
    port: int | None
    at: str
    mirror: bool = False


def _destination(value: Any, at: str, *, mirror: bool = False) -> Destination:
    found = maps(value)
    port = maps(found.get("port")).get("number")
    host, subset = str(found.get("host") or ""), str(found.get("subset") or "")
    return Destination(host, subset, None if port is None else int(port), f"{at}.host", mirror)


def destinations(service: Item) -> Iterator[Destination]:
    """Of routes (tcp, tls, http), then of mirrors."""
    for protocol in ("tcp", "tls", "http"):
        for i, rule in enumerate(lists(service.spec.get(protocol))):
            for j, route in enumerate(lists(rule.get("route"))):
                at = f"spec.{protocol}[{i}].route[{j}].destination"
                yield _destination(route.get("destination"), at)
    for i, rule in enumerate(lists(service.spec.get("http"))):
        if rule.get("mirror"):
            yield _destination(rule["mirror"], f"spec.http[{i}].mirror", mirror=True)
        for j, one in enumerate(lists(rule.get("mirrors"))):
            at = f"spec.http[{i}].mirrors[{j}].destination"
            yield _destination(one.get("destination"), at, mirror=True)


def conflicts(objects: Collection) -> Messages:
    """Several VirtualServices for one host in the mesh."""
    by_host = _mesh_hosts(objects)
    reported: set[str] = set()
    for key in sorted(by_host):
        owners = list(by_host[key])
        if key.scope != hosts.ALL:
            owners += _public(key, by_host)
        if len(owners) < 2:
            continue
        listed = ",".join(sorted(one.full for one in owners))
        for one in owners:
            if one.full not in reported:
                reported.add(one.full)
                name = "ConflictingMeshGatewayVirtualServiceHosts"
                yield report(name, one, listed, str(key), at="metadata.name")


def _mesh_hosts(objects: Collection) -> dict[Scoped, list[Item]]:
    found: dict[Scoped, list[Item]] = {}
    for service in objects.all("VirtualService"):
        gateways = lists(service.spec.get("gateways"))
        if gateways and MESH not in gateways:
            continue
        for scope in hosts.scopes(lists(service.spec.get("exportTo")), service.namespace):
            for host in lists(service.spec.get("hosts")):
                key = Scoped(scope, hosts.full(str(host), service.namespace))
                found.setdefault(key, []).append(service)
    return found


def _public(key: Scoped, by_host: Mapping[Scoped, list[Item]]) -> list[Item]:
    everywhere = ((one, owners) for one, owners in by_host.items() if one.scope == hosts.ALL)
    return [
        item for one, owners in everywhere if names.matches(key.host, one.host) for item in owners
    ]


def destination_hosts(objects: Collection) -> Messages:
    """Hosts and ports that are not there, and ingress rules that forget the mesh's subsets."""
    known = hosts.targets(objects)
    subsets = _with_subsets(objects)
    for service in objects.all("VirtualService"):
        for one in destinations(service):
            yield from _destination_host(service, one, known)
        if lists(service.spec.get("gateways")):
            yield from _forgotten(service, subsets)


def _destination_host(service: Item, one: Destination, known: Mapping[Scoped, Target]) -> Messages:
    exported = lists(service.spec.get("exportTo"))
    target = hosts.look_up(one.host, service.namespace, exported, known)
    if target is None:
        what = "mirror host" if one.mirror else "host"
        yield report(_MISSING, service, what, one.host, at=one.at)
    elif one.port is None:
        if len(target.ports) > 1:
            name = "VirtualServiceDestinationPortSelectorRequired"
            yield report(name, service, one.host, target.ports, at=one.at)
    elif one.port not in target.ports:
        yield report(_MISSING, service, "host:port", f"{one.host}:{one.port}", at=one.at)


def _with_subsets(objects: Collection) -> list[tuple[Item, str]]:
    """VirtualServices that route their own host to subsets, with the host."""
    return [
        (service, host)
        for service in objects.all("VirtualService")
        for host in map(str, lists(service.spec.get("hosts")))
        for rule in lists(service.spec.get("http"))
        for route in lists(rule.get("route"))
        if maps(route.get("destination")).get("subset")
        and maps(route.get("destination")).get("host") == host
    ]


def _forgotten(service: Item, subsets: list[tuple[Item, str]]) -> Messages:
    for i, rule in enumerate(lists(service.spec.get("http"))):
        for j, route in enumerate(lists(rule.get("route"))):
            one = maps(route.get("destination"))
            owners = [owner for owner, host in subsets if host == one.get("host")]
            for owner in owners if not one.get("subset") else ():
                at = f"spec.http[{i}].route[{j}].destination.host"
                yield report(
                    "IngressRouteRulesNotAffected", service, owner.full, service.full, at=at
                )


def destination_rules(objects: Collection) -> Messages:
    """Subsets that no DestinationRule defines."""
    defined = {
        (*hosts.service_name(str(rule.spec.get("host") or ""), rule.namespace), subset.get("name"))
        for rule in objects.all("DestinationRule")
        for subset in lists(rule.spec.get("subsets"))
    }
    for service in objects.all("VirtualService"):
        for one in destinations(service):
            wanted = (*hosts.service_name(one.host, service.namespace), one.subset)
            if one.subset and wanted not in defined:
                what = f"{'mirror' if one.mirror else 'host'}+subset in destinationrule"
                yield report(_MISSING, service, what, f"{one.host}+{one.subset}", at=one.at)


ANALYZERS: Final = (
    Analyzer(
        "virtualservice.ConflictingMeshGatewayHostsAnalyzer",
        "Checks if multiple virtual services associated with the mesh gateway have conflicting hosts",
        ("VirtualService",),
        conflicts,
    ),
    Analyzer(
        "virtualservice.DestinationHostAnalyzer",
        "Checks the destination hosts associated with each virtual service",
        ("ServiceEntry", "VirtualService", "Service"),
        destination_hosts,
    ),
    Analyzer(
        "virtualservice.DestinationRuleAnalyzer",
        "Checks the destination rules associated with each virtual service",
        ("VirtualService", "DestinationRule"),
        destination_rules,
    ),
)
