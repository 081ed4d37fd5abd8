"""All objects of an analysis, by kind."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from meshcourse.embedded.istioctl.analyze.item import Item
from meshcourse.embedded.kube.objects import Object

#: Namespaces that the analysis passes over.
IGNORED: Final = frozenset(("kube-system", "kube-public", "kube-node-lease", "local-path-storage"))


class Collection:
    """Immutable.

    :param items: of several with one kind and name the first counts (files before the cluster).
    :param mesh: the MeshConfig.
    """

    def __init__(self, items: Iterable[Item], mesh: Mapping[str, Any] | None = None) -> None:
        self.mesh: Mapping[str, Any] = mesh or {}
        found: dict[str, dict[str, Item]] = {}
        for item in items:
            if item.home not in IGNORED:
                found.setdefault(item.kind, {}).setdefault(item.full, item)
        self._items = {
            kind: {full: group[full] for full in sorted(group)} for kind, group in found.items()
        }

    def all(self, kind: str) -> Sequence[Item]:
        """By namespace and name."""
        return list(self._items.get(kind, {}).values())

    def find(self, kind: str, namespace: str, name: str) -> Item | None:
        full = f"{namespace}/{name}" if namespace else name
        return self._items.get(kind, {}).get(full)

    def named(self, kind: str, namespace: str, reference: str) -> Item | None:
        """What ``name`` (in `namespace`) or ``namespace/name`` refers to."""
        return self.find(kind, *full_name(namespace, reference))

    @property
    def root_namespace(self) -> str:
        return str(self.mesh.get("rootNamespace") or "istio-system")


def full_name(namespace: str, reference: str) -> tuple[str, str]:
    """Namespace and name meant by a reference."""
    first, slash, rest = reference.partition("/")
    return (first, rest) if slash else (namespace, first)


def collect(objects: Iterable[Object], mesh: Mapping[str, Any] | None = None) -> Collection:
    """A collection of objects that come from no file."""
    return Collection((Item(obj) for obj in objects), mesh)
