"""Values seen through their schema: the fields that they have, how two differ, merging, removing.

Source: structured-merge-diff (``typed``): maps are granular unless declared atomic, lists atomic unless declared as map
or set.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from meshcourse.embedded.kube.patches.fieldset import FieldSet, Path, compact
from meshcourse.embedded.kube.patches.meta import Structure

#: The absence of a value (None is JSON's null).
MISSING: Any = object()


def children(value: Any, structure: Structure) -> dict[str, tuple[Any, Structure]] | None:
    """What is below a value, by path element; None for a leaf (a scalar or something atomic)."""
    if isinstance(value, dict) and structure.map_type != "atomic":
        return {f"f:{name}": (found, structure.child(name)) for name, found in value.items()}
    if isinstance(value, list) and structure.list_type in ("map", "set"):
        items = structure.items()
        found: dict[str, tuple[Any, Structure]] = {}
        for item in value:
            found.setdefault(element(item, structure), (item, items))
        return found
    return None


def element(item: Any, structure: Structure) -> str:
    """The path element that identifies an element of a list of type ``map`` or ``set``."""
    if structure.list_type == "set" or not isinstance(item, dict):
        return "v:" + compact(item)
    keys: dict[str, Any] = {}
    for key in sorted(structure.list_map_keys):
        value = item.get(key)
        if value is None:
            value = structure.items().child(key).default
        if value is not None:
            keys[key] = value
    return "k:" + compact(keys)


def field_set(value: Any, structure: Structure) -> FieldSet:
    """The fields that a value has (of an applied configuration: that its manager wants to own)."""
    return frozenset(_fields(value, structure, ()))


def _fields(value: Any, structure: Structure, path: Path) -> Iterator[Path]:
    below = children(value, structure)
    if below is None:
        if path:
            yield path
        return
    for name, (found, inner) in below.items():
        deeper = (*path, name)
        yield from _fields(found, inner, deeper)
        undeclared = name.startswith("f:") and not structure.declares(name[2:])
        if not name.startswith("f:") or undeclared or found == {}:
            yield deeper


@dataclass(slots=True)
class Comparison:
    """How one value differs from another."""

    added: set[Path] = field(default_factory=set)
    modified: set[Path] = field(default_factory=set)
    removed: set[Path] = field(default_factory=set)

    @property
    def written(self) -> set[Path]:
        """What has a new value."""
        return self.added | self.modified


def compare(old: Any, new: Any, structure: Structure) -> Comparison:
    """The paths at which `new` differs from `old`."""
    found = Comparison()
    _compare(old, new, structure, (), found)
    return found


def _compare(old: Any, new: Any, structure: Structure, path: Path, found: Comparison) -> None:
    if old is MISSING or new is MISSING:
        changed = found.added if old is MISSING else found.removed
        _everything(new if old is MISSING else old, structure, path, changed)
        return
    if old == new:
        return
    before, after = children(old, structure), children(new, structure)
    if before is None or after is None or type(old) is not type(new):
        found.modified.add(path)
        return
    for name in {**before, **after}:
        value, inner = after.get(name) or (
            MISSING,
            before[name][1] if name in before else structure,
        )
        _compare(before.get(name, (MISSING,))[0], value, inner, (*path, name), found)


def _everything(value: Any, structure: Structure, path: Path, changed: set[Path]) -> None:
    for name, (below, inner) in (children(value, structure) or {}).items():
        _everything(below, inner, (*path, name), changed)
    if path:
        changed.add(path)


def merge(live: Any, config: Any, structure: Structure) -> Any:
    """`live` with everything that `config` says. Parts are shared with both."""
    if isinstance(config, dict) and isinstance(live, dict) and structure.map_type != "atomic":
        merged = dict(live)
        for name, value in config.items():
            below = structure.child(name)
            merged[name] = merge(merged[name], value, below) if name in merged else value
        return merged
    if (
        isinstance(config, list)
        and isinstance(live, list)
        and children(config, structure) is not None
    ):
        return list(_merge_items(live, config, structure))
    return config


def _merge_items(live: list[Any], config: list[Any], structure: Structure) -> Iterator[Any]:
    """In the order of `config`; what only `live` has stays before what it stood before."""
    wanted = {element(item, structure): item for item in config}
    present = {element(item, structure): item for item in live}
    left, right = list(present), list(wanted)
    while left or right:
        if left and left[0] not in wanted:
            yield present[left.pop(0)]
        elif right and right[0] not in present:
            yield wanted[right.pop(0)]
        else:
            left.pop(0)
            name = right.pop(0)
            yield merge(present[name], wanted[name], structure.items())


def remove(value: Any, fields: FieldSet, structure: Structure) -> Any:
    """`value` without `fields`; containers that become empty go, too. MISSING if nothing is left."""
    return _remove(value, _trie(fields), structure)


_Trie = dict[str, Any]
_MEMBER = ""


def _trie(fields: FieldSet) -> _Trie:
    root: _Trie = {}
    for path in fields:
        node = root
        for name in path:
            node = node.setdefault(name, {})
        node[_MEMBER] = True
    return root


def _remove(value: Any, fields: _Trie, structure: Structure) -> Any:
    below = children(value, structure)
    if not below or not fields:
        return value
    kept: dict[str, Any] = {}
    for name, (found, inner) in below.items():
        doomed = fields.get(name)
        if doomed and _MEMBER in doomed:
            continue
        rest = _remove(found, doomed, inner) if doomed else found
        if rest is not MISSING:
            kept[name] = rest
    if not kept:
        return MISSING
    if isinstance(value, list):
        return list(kept.values())
    return {name[2:]: found for name, found in kept.items()}


def with_parents(fields: FieldSet, structure: Structure) -> FieldSet:
    """`fields` and the declared fields that they are part of (``spec`` of ``spec.replicas``)."""
    found = set(fields)
    for path in fields:
        node = structure
        for depth, name in enumerate(path[:-1]):
            if name.startswith("f:"):
                if node.declares(name[2:]):
                    found.add(path[: depth + 1])
                node = node.child(name[2:])
            else:
                node = node.items()
    return frozenset(found)
