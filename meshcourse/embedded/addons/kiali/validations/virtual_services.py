"""KIA11xx: VirtualServices. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from meshcourse.embedded.addons.kiali.graph.details import destinations, routes
from meshcourse.embedded.addons.kiali.mesh import Mesh
from meshcourse.embedded.addons.kiali.validations import codes, hosts
from meshcourse.embedded.addons.kiali.validations.codes import Finding, Key
from meshcourse.embedded.kube import objects, refs
from meshcourse.embedded.kube.objects import Object


def check(mesh: Mesh) -> Iterator[Finding]:
    """Missing hosts, gateways and subsets; odd weights; hosts served twice."""
    for obj in mesh.all(refs.VIRTUALSERVICES):
        key = codes.key_of(refs.VIRTUALSERVICES, obj)
        yield from _hosts(key, obj, mesh)
        yield from _gateways(key, obj, mesh)
        yield from _weights(key, obj, mesh)
        yield from _subsets(key, obj, mesh)
    yield from _same_host(mesh)


def _hosts(key: Key, obj: Object, mesh: Mesh) -> Iterator[Finding]:
    for protocol, number, route in routes(obj):
        for index, destination in destinations(route):
            host = destination.get("host", "")
            if host and not hosts.known(hosts.full(host, key.namespace, mesh), mesh):
                path = f"spec/{protocol}[{number}]/route[{index}]/destination/host"
                finding = codes.found(key, "KIA1101", path)
                # Where unknown hosts may be called, the route may still lead somewhere.
                yield finding.softened(codes.WARNING) if mesh.allows_any else finding


def _gateways(key: Key, obj: Object, mesh: Mesh) -> Iterator[Finding]:
    known = {(objects.namespace(one), objects.name(one)) for one in mesh.all(refs.GATEWAYS)}
    places = [("spec", objects.dig(obj, "spec.gateways", []))]
    for number, route in enumerate(objects.dig(obj, "spec.http", [])):
        for match in route.get("match") or ():
            places.append((f"spec/http[{number}]/match", match.get("gateways") or []))
    for where, names in places:
        for index, name in enumerate(names):
            if "." in name:
                yield codes.found(key, "KIA1108", f"{where}/gateways[{index}]")
            if name != "mesh" and _gateway(name, key.namespace) not in known:
                yield codes.found(key, "KIA1102", f"{where}/gateways[{index}]")


def _gateway(name: str, namespace: str) -> tuple[str, str]:
    if "/" in name:
        space, _, own = name.partition("/")
        return space, own
    own, _, rest = name.partition(".")  # the older way: name.namespace[.svc…]
    return rest.split(".")[0] or namespace, own


def _weights(key: Key, obj: Object, mesh: Mesh) -> Iterator[Finding]:
    for protocol, number, route in routes(obj):
        shares = route.get("route") or []
        if len(shares) == 1 and 0 < int(shares[0].get("weight") or 0) < 100:
            yield codes.found(key, "KIA1104", f"spec/{protocol}[{number}]/route[0]/weight")
        targets = [
            (hosts.full(one.get("host", ""), key.namespace, mesh), one.get("subset", ""))
            for _, one in destinations(route)
        ]
        for index, target in enumerate(targets):
            if targets.count(target) > 1:
                yield codes.found(key, "KIA1105", f"spec/{protocol}[{number}]/route[{index}]/host")


def _subsets(key: Key, obj: Object, mesh: Mesh) -> Iterator[Finding]:
    for protocol, number, route in routes(obj):
        for index, destination in destinations(route):
            host, subset = destination.get("host", ""), destination.get("subset", "")
            if (
                host
                and subset
                and not _defined(hosts.full(host, key.namespace, mesh), subset, mesh)
            ):
                path = f"spec/{protocol}[{number}]/route[{index}]/destination"
                yield codes.found(key, "KIA1107", path)


def _defined(host: str, subset: str, mesh: Mesh) -> bool:
    for rule in mesh.all(refs.DESTINATIONRULES):
        pattern = hosts.full(objects.dig(rule, "spec.host", ""), objects.namespace(rule), mesh)
        subsets: list[dict[str, Any]] = objects.dig(rule, "spec.subsets", [])
        if hosts.within(host, pattern) and any(one.get("name") == subset for one in subsets):
            return True
    return False


def _same_host(mesh: Mesh) -> Iterator[Finding]:
    """Objects that serve one host at one gateway (or all inside the mesh)."""
    served: dict[tuple[str, str], list[Key]] = {}
    for obj in mesh.all(refs.VIRTUALSERVICES):
        key = codes.key_of(refs.VIRTUALSERVICES, obj)
        for gateway in objects.dig(obj, "spec.gateways", []) or ["mesh"]:
            place = gateway if gateway == "mesh" else "/".join(_gateway(gateway, key.namespace))
            for host in dict.fromkeys(objects.dig(obj, "spec.hosts", [])):
                served.setdefault((place, hosts.full(host, key.namespace, mesh)), []).append(key)
    for keys in served.values():
        for key in keys if len(keys) > 1 else ():
            others = (one for one in keys if one != key)
            yield codes.found(key, "KIA1106", "spec/hosts", *others)
