"""The kinds that are served now: built-in ones, and those that CustomResourceDefinitions add and remove."""

from __future__ import annotations

import re
from collections.abc import Iterator

from meshcourse.embedded.apiserver.registry import builtin, custom
from meshcourse.embedded.apiserver.registry.kinds import Kind
from meshcourse.embedded.kube.objects import Object
from meshcourse.embedded.kube.refs import Resource

_VERSION = re.compile(r"v(\d+)(?:(alpha|beta)(\d+))?$")


class Registry:
    """Lookup by place in the URL, by reference and by group."""

    def __init__(self) -> None:
        self._kinds: dict[tuple[str, str, str], Kind] = {}
        self._custom: dict[str, list[Kind]] = {}
        #: Grows with every change; caches of discovery depend on it.
        self.generation = 0
        for kind in builtin.kinds():
            self._add(kind)
        self._builtin = [*dict.fromkeys(group for group, _, _ in self._kinds)]

    def _add(self, kind: Kind) -> None:
        resource = kind.resource
        self._kinds[resource.group, resource.version, resource.plural] = kind

    def find(self, group: str, version: str, plural: str) -> Kind | None:
        return self._kinds.get((group, version, plural))

    def of(self, resource: Resource) -> Kind | None:
        return self.find(resource.group, resource.version, resource.plural)

    def of_kind(self, api_version: str, kind: str) -> Kind | None:
        """By what an object says of itself (``apiVersion``, ``kind``)."""
        group, _, version = api_version.rpartition("/")
        return next((found for found in self.served(group, version) if _is(found, kind)), None)

    def all(self) -> Iterator[Kind]:
        yield from self._kinds.values()

    def stored(self) -> dict[str, Kind]:
        """One kind for each resource that has objects of its own: in its storage version, if that is served."""
        found = {kind.key: kind for kind in self.all() if not kind.virtual}
        return found | {k.key: k for k in self.all() if not k.virtual and k.resource == k.storage}

    def groups(self) -> dict[str, list[str]]:
        """Versions by group, the preferred one first (GA, beta, alpha); custom groups last, by name."""
        found: dict[str, set[str]] = {group: set() for group in self._builtin}
        for group, version, _ in sorted(self._kinds):
            found.setdefault(group, set()).add(version)
        return {
            group: sorted(versions, key=priority, reverse=True) for group, versions in found.items()
        }

    def served(self, group: str, version: str) -> list[Kind]:
        """The kinds of one group and version, by name."""
        found = [kind for key, kind in self._kinds.items() if key[:2] == (group, version)]
        return sorted(found, key=lambda kind: kind.resource.plural)

    def set_custom(self, crd: Object) -> None:
        """Serve what a definition says (replacing what it said before)."""
        self.drop_custom(crd)
        kinds = custom.kinds(crd)
        self._custom[crd["metadata"]["name"]] = kinds
        for kind in kinds:
            self._add(kind)
        self.generation += 1

    def drop_custom(self, crd: Object) -> None:
        for kind in self._custom.pop(crd["metadata"]["name"], ()):
            resource = kind.resource
            self._kinds.pop((resource.group, resource.version, resource.plural), None)
        self.generation += 1


def _is(kind: Kind, name: str) -> bool:
    return kind.resource.kind == name and kind.resource.group != "metrics.k8s.io"


def priority(version: str) -> tuple[int, int, int]:
    """Sort key of a version: ``v2`` > ``v1`` > ``v1beta2`` > ``v1beta1`` > ``v1alpha1`` > others."""
    match = _VERSION.match(version)
    if not match:
        return (0, 0, 0)
    stage = {None: 3, "beta": 2, "alpha": 1}[match[2]]
    return (stage, int(match[1]), int(match[3] or 0))
