"""Field management: who owns which field, across updates and server-side apply.

Source: Kubernetes' server-side apply (KEP-555), structured-merge-diff (``merge``) and apimachinery's
``managedfields`` (which entries there are, their order, the words of a conflict).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Literal

from meshcourse.embedded.kube.objects import Object
from meshcourse.embedded.kube.patches import fieldset, typed
from meshcourse.embedded.kube.patches.fieldset import EMPTY, FieldSet, Path
from meshcourse.embedded.kube.patches.meta import Structure

Operation = Literal["Apply", "Update"]
#: Owns everything that was there before the first apply, where nothing is known.
BEFORE_FIRST_APPLY = "before-first-apply"
_UNOWNED = (
    "name",
    "namespace",
    "creationTimestamp",
    "selfLink",
    "uid",
    "generation",
    "managedFields",
    "resourceVersion",
)
#: Updaters that an object remembers one by one.
_MOST_UPDATERS = 10
_ANCIENT = "ancient-changes"
#: What nobody owns.
STRIPPED: FieldSet = frozenset(
    {("f:apiVersion",), ("f:kind",), ("f:metadata",)}
    | {("f:metadata", f"f:{name}") for name in _UNOWNED}
)
#: Fields of built-in kinds that are structs, not pointers, in Go: they are there before anybody sets them.
_ALWAYS_THERE = frozenset({"metadata", "spec", "status", "strategy", "template", "jobTemplate"})
_ALWAYS_LISTS = frozenset({"containers"})


@dataclass(frozen=True, slots=True)
class Manager:
    """Who manages. Appliers are one manager whatever version they write; updaters one for each version."""

    name: str
    operation: Operation
    api_version: str
    subresource: str = ""

    @property
    def key(self) -> tuple[str, ...]:
        version = "" if self.operation == "Apply" else self.api_version
        return (self.name, self.operation, version, self.subresource)


@dataclass(frozen=True, slots=True)
class Owner:
    """One entry of ``managedFields``. `time` is None where it was never recorded."""

    manager: Manager
    fields: FieldSet
    time: str | None


@dataclass(frozen=True, slots=True)
class Conflict:
    """A field that an apply would change although somebody else manages it."""

    owner: Owner
    path: Path


class ApplyConflict(Exception):
    """The apply would take fields away from others, and was not told to."""

    def __init__(self, conflicts: list[Conflict]) -> None:
        super().__init__(message(conflicts))
        self.conflicts = conflicts


def read(entries: Iterable[Object] | None) -> list[Owner]:
    """``metadata.managedFields`` as owners. Entries that cannot be understood are left out."""
    found: list[Owner] = []
    for entry in entries or ():
        if not entry.get("operation") or not isinstance(entry.get("fieldsV1"), dict):
            continue
        manager = Manager(
            entry.get("manager", ""),
            entry["operation"],
            entry.get("apiVersion", ""),
            entry.get("subresource", ""),
        )
        found.append(Owner(manager, fieldset.from_v1(entry["fieldsV1"]), entry.get("time")))
    return found


def render(owners: Iterable[Owner]) -> list[Object]:
    """Owners as ``metadata.managedFields``, in the API server's order."""
    chosen = [owner for owner in owners if owner.fields]
    chosen.sort(key=lambda owner: (owner.manager.operation, owner.time or "", *owner.manager.key))
    return [_entry(owner) for owner in chosen]


def _entry(owner: Owner) -> Object:
    manager = owner.manager
    entry: Object = {
        "manager": manager.name,
        "operation": manager.operation,
        "apiVersion": manager.api_version,
        "time": owner.time,
        "fieldsType": "FieldsV1",
        "fieldsV1": fieldset.to_v1(owner.fields),
        "subresource": manager.subresource,
    }
    return {field: value for field, value in entry.items() if value not in (None, "")}


def before_creation(new: Object, structure: Structure) -> Object:
    """What a new object of a built-in kind is compared with: the fields that exist without being set."""
    found: Object = {}
    for name, value in new.items():
        if name in _ALWAYS_THERE and isinstance(value, dict) and structure.declares(name):
            found[name] = before_creation(value, structure.child(name))
        elif name in _ALWAYS_LISTS and isinstance(value, list):
            found[name] = []
    return found


def update(
    old: Object, new: Object, owners: list[Owner], structure: Structure, manager: Manager, now: str
) -> list[Owner]:
    """The owners after `manager` has turned `old` into `new` by other means than apply."""
    found = typed.compare(old, new, structure)
    written = frozenset(found.written) - STRIPPED
    lost = written | found.removed
    after = [replace(owner, fields=owner.fields - lost) for owner in owners]
    if not written:
        return after
    mine = next((owner for owner in after if owner.manager.key == manager.key), None)
    kept = mine.fields if mine else EMPTY
    others = [owner for owner in after if owner is not mine]
    return _capped([*others, Owner(manager, kept | written, now)])


def _capped(owners: list[Owner]) -> list[Owner]:
    """At most `_MOST_UPDATERS` updaters: the oldest are put together under one name for each version."""
    updaters = [owner for owner in owners if owner.manager.operation == "Update"]
    recent = sorted(
        (owner for owner in updaters if owner.manager.name != _ANCIENT), key=_age, reverse=True
    )
    ancient = [owner for owner in updaters if owner.manager.name == _ANCIENT]
    if len(updaters) <= _MOST_UPDATERS:
        return owners
    kept, old = recent[: _MOST_UPDATERS - 1], recent[_MOST_UPDATERS - 1 :]
    buckets: dict[str, Owner] = {owner.manager.api_version: owner for owner in ancient}
    for owner in old:
        version = owner.manager.api_version
        known = buckets.get(version)
        fields = owner.fields | (known.fields if known else EMPTY)
        time = max(owner.time or "", (known.time or "") if known else "") or None
        buckets[version] = Owner(Manager(_ANCIENT, "Update", version), fields, time)
    appliers = [owner for owner in owners if owner.manager.operation == "Apply"]
    return [*appliers, *kept, *buckets.values()]


def _age(owner: Owner) -> str:
    return owner.time or ""


def apply(
    live: Object,
    config: Object,
    owners: list[Owner],
    structure: Structure,
    manager: Manager,
    now: str,
    *,
    force: bool = False,
) -> tuple[Object, list[Owner]]:
    """Apply `config` to `live`: the new object and its owners.

    Fields that `manager` applied before and applies no more go, unless somebody else owns them.

    :raises ApplyConflict: without `force`, if fields of others would change.
    """
    before = next((owner for owner in owners if owner.manager.key == manager.key), None)
    others = [owner for owner in owners if owner is not before]
    mine = typed.field_set(config, structure) - STRIPPED
    merged = typed.merge(live, config, structure)
    if before:
        managed = mine.union(*(owner.fields for owner in others))
        merged = _prune(merged, before.fields, managed, structure)
    change = typed.compare(live, merged, structure)
    others = _settle(others, change, force)
    same = before is not None and before.fields == mine and merged == live
    time = before.time if before and same else now
    return merged, [*others, Owner(manager, mine, time)]


def _settle(others: list[Owner], change: typed.Comparison, force: bool) -> list[Owner]:
    """Take from others what changes; refuse to without `force`."""
    written = frozenset(change.written)
    conflicts = [
        Conflict(owner, path) for owner in others for path in sorted(owner.fields & written)
    ]
    if conflicts and not force:
        raise ApplyConflict(conflicts)
    lost = written | change.removed
    return [replace(owner, fields=owner.fields - lost) for owner in others]


def _prune(merged: Any, last: FieldSet, managed: FieldSet, structure: Structure) -> Any:
    """Remove what was applied last time and is owned by nobody now."""
    last = typed.with_parents(last, structure)
    everything = _present(merged, structure)
    rest = _present(typed.remove(merged, last, structure), structure)
    owned = typed.with_parents(managed, structure)
    pruned = typed.remove(merged, everything - (rest | owned), structure)
    gone = (everything - _present(pruned, structure)) & last
    return typed.remove(merged, gone, structure)


def _present(value: Any, structure: Structure) -> FieldSet:
    if value is typed.MISSING:
        return EMPTY
    return typed.with_parents(typed.field_set(value, structure), structure)


def message(conflicts: list[Conflict]) -> str:
    """The words of the API server."""
    if len(conflicts) == 1:
        only = conflicts[0]
        return (
            f"Apply failed with 1 conflict: conflict with {describe(only.owner)}: "
            f"{fieldset.text(only.path)}"
        )
    by_owner: dict[str, list[str]] = {}
    for conflict in conflicts:
        fields = by_owner.setdefault(describe(conflict.owner), [])
        fields.append(f"- {fieldset.text(conflict.path)}")
    lines = [
        line
        for owner in sorted(by_owner)
        for line in (f"conflicts with {owner}:", *by_owner[owner])
    ]
    return f"Apply failed with {len(conflicts)} conflicts: " + "\n".join(lines)


def describe(owner: Owner) -> str:
    """``"kubectl" using apps/v1``, as conflicts name a manager."""
    manager = owner.manager
    text = f'"{manager.name}"'
    if manager.subresource:
        text += f' with subresource "{manager.subresource}"'
    if manager.operation == "Update":
        text += f" using {manager.api_version}"
    return text
