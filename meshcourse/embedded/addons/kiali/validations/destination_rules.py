"""KIA0201–0203 and 0209: DestinationRules. Pure; what concerns mutual TLS is in `mtls`."""

from __future__ import annotations

from collections.abc import Iterator

from meshcourse.embedded.addons.kiali.graph.details import destinations, routes
from meshcourse.embedded.addons.kiali.mesh import Mesh, carries
from meshcourse.embedded.addons.kiali.validations import codes, hosts, mtls
from meshcourse.embedded.addons.kiali.validations.codes import Finding, Key
from meshcourse.embedded.kube import objects, refs
from meshcourse.embedded.kube.objects import Object


def check(mesh: Mesh) -> Iterator[Finding]:
    """Hosts and subsets that match nothing, and rules that cover the same."""
    for obj in mesh.all(refs.DESTINATIONRULES):
        key = codes.key_of(refs.DESTINATIONRULES, obj)
        host = hosts.full(objects.dig(obj, "spec.host", ""), key.namespace, mesh)
        if hosts.known(host, mesh):
            yield from _subsets(key, obj, host, mesh)
            continue
        finding = codes.found(key, "KIA0202", "spec/host")
        yield finding.softened(codes.WARNING) if mesh.allows_any else finding
    yield from _overlaps(mesh)


def _subsets(key: Key, obj: Object, host: str, mesh: Mesh) -> Iterator[Finding]:
    subsets = objects.dig(obj, "spec.subsets", [])
    missing = [index for index, one in enumerate(subsets) if not _exists(one, host, mesh)]
    labelled = {index for index, one in enumerate(subsets) if one.get("labels")}
    for index in missing:
        finding = codes.found(key, "KIA0203", f"spec/subsets[{index}]")
        used = _referenced(host, subsets[index].get("name", ""), mesh)
        yield finding if used else finding.softened(codes.UNKNOWN)
    for index in sorted(set(range(len(subsets))) - labelled):
        finding = codes.found(key, "KIA0209", f"spec/subsets[{index}]")
        yield finding.softened(codes.UNKNOWN) if labelled - set(missing) else finding


def _exists(subset: Object, host: str, mesh: Mesh) -> bool:
    """Whether some workload of the host carries the labels of a subset (one without labels has its own code)."""
    labels = subset.get("labels") or {}
    service = hosts.service_of(host)
    if not labels or service is None:
        return True
    selector = objects.dig(mesh.services.get(service), "spec.selector", {})
    if not selector:
        return True
    return any(carries(one.labels, labels) for one in mesh.selected(service[0], selector))


def _referenced(host: str, subset: str, mesh: Mesh) -> bool:
    return any(
        hosts.full(one.get("host", ""), objects.namespace(obj), mesh) == host
        and one.get("subset") == subset
        for obj in mesh.all(refs.VIRTUALSERVICES)
        for _, _, route in routes(obj)
        for _, one in destinations(route)
    )


def _overlaps(mesh: Mesh) -> Iterator[Finding]:
    rules = [
        (codes.key_of(refs.DESTINATIONRULES, obj), *_coverage(obj, mesh))
        for obj in mesh.all(refs.DESTINATIONRULES)
        if not mtls.is_default(obj)
    ]
    for key, host, subsets in rules:
        others = [
            other
            for other, other_host, other_subsets in rules
            if other != key and _overlap(host, other_host) and _collide(subsets, other_subsets)
        ]
        if others:
            yield codes.found(key, "KIA0201", "spec/host", *others)


def _coverage(obj: Object, mesh: Mesh) -> tuple[str, frozenset[str]]:
    host = hosts.full(objects.dig(obj, "spec.host", ""), objects.namespace(obj), mesh)
    return host, frozenset(one.get("name", "") for one in objects.dig(obj, "spec.subsets", []))


def _overlap(one: str, other: str) -> bool:
    return hosts.within(one, other) or hosts.within(other, one)


def _collide(one: frozenset[str], other: frozenset[str]) -> bool:
    """A rule without subsets covers them all."""
    return not one or not other or bool(one & other)
