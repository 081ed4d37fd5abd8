"""The informer's store: objects by key, with indexes so that nobody scans.

Always indexed by namespace, by each label within a namespace, and by the uid of each owner.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from meshcourse.embedded.kube import objects
from meshcourse.embedded.kube.objects import Key, Object

#: The values under which an object is found.
IndexFunction = Callable[[Object], Iterable[str]]

#: Members of one index entry in insertion order (a dict used as an ordered set).
_Members = dict[Key, None]

_E = TypeVar("_E")


class Cache:
    """Objects by key. Never changes an object; `items` is to be read only."""

    def __init__(self) -> None:
        self.items: dict[Key, Object] = {}
        self._functions: dict[str, IndexFunction] = {"owner": _owners}
        self._index: dict[tuple[str, str], _Members] = {}
        self._labels: dict[tuple[str, str, str], _Members] = {}
        self._namespaces: dict[str, _Members] = {}

    def put(self, obj: Object) -> Object | None:
        """Store and return what was there before."""
        key = objects.key(obj)
        old = self.remove(key) if key in self.items else None
        self.items[key] = obj
        for members in self._entries(obj):
            members[key] = None
        return old

    def remove(self, key: Key) -> Object | None:
        old = self.items.pop(key, None)
        if old is not None:
            self._forget(old, key)
        return old

    def add_index(self, name: str, function: IndexFunction) -> None:
        if name in self._functions:
            return
        self._functions[name] = function
        for key, obj in self.items.items():
            for value in function(obj):
                self._index.setdefault((name, value), {})[key] = None

    def by_index(self, name: str, value: str) -> list[Object]:
        return self._collect(self._index.get((name, value), {}))

    def by_namespace(self, namespace: str) -> list[Object]:
        return self._collect(self._namespaces.get(namespace, {}))

    def by_label(self, labels: Mapping[str, str], namespace: str) -> list[Object]:
        """Intersect the smallest entry with the rest."""
        if not labels:
            return self.by_namespace(namespace)
        entries = [self._labels.get((namespace, k, v), {}) for k, v in labels.items()]
        entries.sort(key=len)
        first, rest = entries[0], entries[1:]
        return [self.items[key] for key in first if all(key in other for other in rest)]

    def _collect(self, members: _Members) -> list[Object]:
        return [self.items[key] for key in members]

    def _entries(self, obj: Object) -> Iterable[_Members]:
        namespace = objects.namespace(obj)
        yield self._namespaces.setdefault(namespace, {})
        for k, v in objects.labels(obj).items():
            yield self._labels.setdefault((namespace, k, v), {})
        for name, function in self._functions.items():
            for value in function(obj):
                yield self._index.setdefault((name, value), {})

    def _forget(self, obj: Object, key: Key) -> None:
        namespace = objects.namespace(obj)
        _discard(self._namespaces, namespace, key)
        for k, v in objects.labels(obj).items():
            _discard(self._labels, (namespace, k, v), key)
        for name, function in self._functions.items():
            for value in function(obj):
                _discard(self._index, (name, value), key)


def _discard(index: dict[_E, _Members], entry: _E, key: Key) -> None:
    """Take `key` out of an entry and drop entries that became empty (names and uids never come back)."""
    members = index.get(entry)
    if members is not None:
        members.pop(key, None)
        if not members:
            del index[entry]


def _owners(obj: Object) -> Iterable[str]:
    refs = (obj.get("metadata") or {}).get("ownerReferences") or []
    return [str(ref.get("uid")) for ref in refs]
