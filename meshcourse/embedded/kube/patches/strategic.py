"""Strategic merge patch: a merge patch that knows which lists are keyed.

Source: Kubernetes API conventions and ``apimachinery/pkg/util/strategicpatch``. Directives: ``$patch`` (merge, replace,
delete), ``$deleteFromPrimitiveList/<field>``, ``$setElementOrder/<field>``, ``$retainKeys``.
"""

from __future__ import annotations

from typing import Any

from meshcourse.embedded.kube.objects import Object
from meshcourse.embedded.kube.patches.errors import PatchError
from meshcourse.embedded.kube.patches.meta import Structure

_PATCH = "$patch"
_RETAIN = "$retainKeys"
_ORDER = "$setElementOrder/"
_DELETE = "$deleteFromPrimitiveList/"


def apply(target: Object, patch: Object, structure: Structure) -> Object:
    """`target` changed by `patch`; neither is modified (parts may be shared).

    :raises PatchError: for directives that are unknown or misplaced, and elements without their merge key.
    """
    if not isinstance(patch, dict):
        raise PatchError("expected a strategic merge patch to be an object")
    return _merge_map(target, patch, structure)


def _merge_map(target: Any, patch: Object, structure: Structure) -> Object:
    directive = patch.get(_PATCH)
    if directive == "replace":
        plain: Object = _plain(patch)
        return plain
    if directive == "delete":
        return {}
    if directive not in (None, "merge"):
        raise PatchError(f"unknown patch type found: {directive}")
    merged = dict(target) if isinstance(target, dict) else {}
    if _RETAIN in patch:
        merged = _retain(merged, patch)
    for field, value in patch.items():
        if field.startswith(_DELETE):
            _delete_from(merged, field[len(_DELETE) :], value)
        elif not field.startswith("$"):
            _merge_field(merged, field, value, patch, structure.child(field))
    _reorder_untouched(merged, patch, structure)
    return merged


def _retain(target: Object, patch: Object) -> Object:
    keys = patch[_RETAIN]
    if not isinstance(keys, list):
        raise PatchError("invalid patch format of $retainKeys")
    extra = [f for f, v in patch.items() if not f.startswith("$") and v is not None]
    if not set(extra) <= set(keys):
        raise PatchError("$retainKeys list doesn't contain all fields present in the patch")
    return {field: value for field, value in target.items() if field in keys}


def _delete_from(merged: Object, field: str, values: Any) -> None:
    if not isinstance(values, list):
        raise PatchError("invalid patch format of $deleteFromPrimitiveList")
    if isinstance(merged.get(field), list):
        merged[field] = [item for item in merged[field] if item not in values]


def _merge_field(
    merged: Object, field: str, value: Any, patch: Object, structure: Structure
) -> None:
    strategies = structure.patch_strategy.split(",")
    if value is None:
        merged.pop(field, None)
    elif isinstance(value, dict):
        _merge_value(merged, field, value, strategies, structure)
    elif isinstance(value, list) and "merge" in strategies:
        order = patch.get(_ORDER + field)
        merged[field] = _merge_list(merged.get(field) or [], value, order, structure)
    else:
        merged[field] = _plain(value)


def _merge_value(
    merged: Object, field: str, value: Object, strategies: list[str], structure: Structure
) -> None:
    if value.get(_PATCH) == "delete":
        merged.pop(field, None)
    elif "replace" in strategies and _PATCH not in value:
        merged[field] = _plain(value)
    else:
        merged[field] = _merge_map(merged.get(field), value, structure)


def _merge_list(target: list[Any], patch: list[Any], order: Any, structure: Structure) -> list[Any]:
    if not structure.merge_key:
        added = [item for item in patch if item not in target]
        return _ordered([*target, *added], order, "")
    if any(isinstance(item, dict) and item.get(_PATCH) == "replace" for item in patch):
        kept = [item for item in patch if not (isinstance(item, dict) and _PATCH in item)]
        return [_plain(item) for item in kept]
    merged = list(target)
    for item in patch:
        _merge_item(merged, item, structure)
    return _ordered(merged, order, structure.merge_key)


def _merge_item(merged: list[Any], item: Any, structure: Structure) -> None:
    key = structure.merge_key
    if not isinstance(item, dict):
        raise PatchError(f"expected list element to be map, but found: {_go(item)}")
    if key not in item:
        raise PatchError(f"map: {_go(item)} does not contain declared merge key: {key}")
    same = [
        index
        for index, found in enumerate(merged)
        if isinstance(found, dict) and found.get(key) == item[key]
    ]
    if item.get(_PATCH) == "delete":
        for index in reversed(same):
            del merged[index]
    elif same:
        merged[same[0]] = _merge_map(merged[same[0]], item, structure.items())
    else:
        merged.append(_merge_map({}, item, structure.items()))


def _ordered(items: list[Any], order: Any, key: str) -> list[Any]:
    """Elements named by the order in that order; others keep their place relative to their predecessor."""
    if not isinstance(order, list):
        return items
    wanted = [entry.get(key) if key and isinstance(entry, dict) else entry for entry in order]
    names = [item.get(key) if key and isinstance(item, dict) else item for item in items]
    listed = sorted(
        (index for index, name in enumerate(names) if name in wanted),
        key=lambda index: wanted.index(names[index]),
    )
    unlisted = [index for index, name in enumerate(names) if name not in wanted]
    return [items[index] for index in _interleave(listed, unlisted)]


def _interleave(listed: list[int], unlisted: list[int]) -> list[int]:
    result: list[int] = []
    while listed and unlisted:
        result.append(listed.pop(0) if listed[0] < unlisted[0] else unlisted.pop(0))
    return result + listed + unlisted


def _reorder_untouched(merged: Object, patch: Object, structure: Structure) -> None:
    """An order may come without any change to the list itself."""
    for field, order in patch.items():
        name = field[len(_ORDER) :]
        if field.startswith(_ORDER) and name not in patch and isinstance(merged.get(name), list):
            merged[name] = _ordered(merged[name], order, structure.child(name).merge_key)


def _plain(value: Any) -> Any:
    """A value without directives and nulls, for where there is nothing to merge with."""
    if isinstance(value, dict):
        return {
            field: _plain(found)
            for field, found in value.items()
            if found is not None and not field.startswith("$")
        }
    if isinstance(value, list):
        kept = [found for found in value if not (isinstance(found, dict) and _PATCH in found)]
        return [_plain(found) for found in kept]
    return value


def _go(value: Any) -> str:
    """A value as Go prints it with ``%v``."""
    if isinstance(value, dict):
        return "map[" + " ".join(f"{k}:{_go(value[k])}" for k in sorted(value)) + "]"
    if isinstance(value, list):
        return "[" + " ".join(_go(item) for item in value) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    return "<nil>" if value is None else str(value)


go_text = _go
