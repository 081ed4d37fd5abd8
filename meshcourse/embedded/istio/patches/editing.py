"""Operations on lists: filters, filter chains, routes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from meshcourse.embedded.istio.model import Json
from meshcourse.embedded.istio.patches import merging
from meshcourse.embedded.istio.patches.selection import Patch

#: Whether a patch means an element, and whether it says which elements it means at all.
Fits = Callable[[Json, Patch], bool]
Narrowed = Callable[[Patch], bool]


def edited(
    items: Sequence[Json], patches: Iterable[Patch], fits: Fits, narrowed: Narrowed
) -> list[Json]:
    """The list after additions and removals, then merges."""
    found = list(patches)
    result = list(items)
    for one in found:
        result = _edit(result, one, fits, narrowed=narrowed(one))
    return [_merged(item, found, fits) for item in result]


def _edit(items: list[Json], patch: Patch, fits: Fits, *, narrowed: bool) -> list[Json]:
    operation = patch.operation
    if operation == "ADD" or (operation == "INSERT_AFTER" and not narrowed):
        return [*items, patch.value]
    if operation == "INSERT_FIRST" or (operation == "INSERT_BEFORE" and not narrowed):
        return [patch.value, *items]
    if not narrowed:
        return items
    if operation == "REMOVE":
        return [one for one in items if not fits(one, patch)]
    place = next((number for number, one in enumerate(items) if fits(one, patch)), None)
    if place is None:
        return items
    if operation == "INSERT_BEFORE":
        return [*items[:place], patch.value, *items[place:]]
    if operation == "INSERT_AFTER":
        return [*items[: place + 1], patch.value, *items[place + 1 :]]
    if operation == "REPLACE":
        return [*items[:place], patch.value, *items[place + 1 :]]
    return items


def _merged(item: Json, patches: Sequence[Patch], fits: Fits) -> Json:
    for one in patches:
        if one.operation == "MERGE" and fits(item, one):
            item = merging.merged(item, one.value)
    return item
