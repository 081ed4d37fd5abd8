"""Parsing only what changed: results are kept by ``uid`` and ``resourceVersion``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar

from meshcourse.embedded.kube import objects
from meshcourse.embedded.kube.objects import Key, Object

T = TypeVar("T")

#: uid or key → (resourceVersion, parsed value).
_Parsed = dict[Any, tuple[str, Any]]


def same(left: Any, right: Any) -> bool:
    """Whether two values of one dataclass have equal fields (they compare by identity otherwise)."""
    if type(left) is not type(right):
        return False
    if not is_dataclass(left):
        return bool(left == right)
    return all(getattr(left, one.name) == getattr(right, one.name) for one in fields(left))


class Memory:
    """What the previous snapshot was made of (`before`), and what this one is made of (`now`)."""

    def __init__(self, before: Mapping[str, Any]) -> None:
        self._before = before
        self.now: dict[str, Any] = {}

    def each(
        self,
        name: str,
        found: Iterable[Object],
        parse: Callable[[Object], T | None],
        *scope: object,
    ) -> dict[Key, T]:
        """`parse` of every object by key, without the Nones; the previous dictionary if nothing
        changed.

        :param scope: other inputs of `parse`; if one is not the same object as before, all are
        parsed again.
        """
        before = self._before.get(name)
        old: _Parsed = before[0] if before and _identical(before[2], scope) else {}
        parsed: _Parsed = {}
        for obj in found:
            identity, version = objects.uid(obj) or objects.key(obj), _version(obj)
            kept = old.get(identity)
            if kept is None or kept[0] != version or not version:
                kept = (version, _reuse(kept, (objects.key(obj), parse(obj))))
            parsed[identity] = kept
        result = _values(parsed)
        if before and _identical_items(before[1], result):
            result = before[1]
        self.now[name] = (parsed, result, scope)
        return result

    def derived(self, name: str, make: Callable[[], T], *inputs: object) -> T:
        """`make()`, or the previous result if all `inputs` are the same objects as then."""
        before = self._before.get(name)
        if before and _identical(before[1], inputs):
            self.now[name] = before
            return before[0]  # type: ignore[no-any-return]
        self.now[name] = (make(), inputs)
        return self.now[name][0]  # type: ignore[no-any-return]

    def previous(self, name: str) -> Any:
        """The previous result of `derived`, None if there is none."""
        before = self._before.get(name)
        return before[0] if before else None


def _version(obj: Object) -> str:
    return str((obj.get("metadata") or {}).get("resourceVersion") or "")


def _reuse(kept: tuple[str, Any] | None, fresh: tuple[Key, Any]) -> tuple[Key, Any]:
    """The old value if the new one says the same (a status change, for example)."""
    if kept is not None and kept[1][0] == fresh[0] and same(kept[1][1], fresh[1]):
        return kept[1]  # type: ignore[no-any-return]
    return fresh


def _values(parsed: _Parsed) -> dict[Key, Any]:
    return {key: value for _, (key, value) in parsed.values() if value is not None}


def _identical(left: Iterable[object], right: Iterable[object]) -> bool:
    one, two = tuple(left), tuple(right)
    return len(one) == len(two) and all(a is b for a, b in zip(one, two, strict=True))


def _identical_items(left: dict[Key, Any], right: dict[Key, Any]) -> bool:
    return len(left) == len(right) and all(left.get(key) is value for key, value in right.items())
