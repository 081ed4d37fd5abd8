"""GET: one object, or a list in pages."""

from __future__ import annotations

from dataclasses import dataclass

from meshcourse.embedded.apiserver.core import Core
from meshcourse.embedded.apiserver.registry import conversion
from meshcourse.embedded.apiserver.rest.call import Call
from meshcourse.embedded.apiserver.rest.filters import Filter
from meshcourse.embedded.kube import status
from meshcourse.embedded.kube.objects import Object


@dataclass(frozen=True, slots=True)
class Page:
    """Part of a list. `token` is "" and `remaining` 0 on the last page."""

    items: list[Object]
    revision: str
    token: str = ""
    remaining: int = 0

    def meta(self) -> Object:
        """``ListMeta``."""
        found: Object = {"resourceVersion": self.revision}
        if self.token:
            found["continue"] = self.token
            found["remainingItemCount"] = self.remaining
        return found


def stored(core: Core, call: Call) -> Object:
    """The object that a call names, as it is stored.

    :raises ApiError: 404.
    """
    found = core.store.get(call.kind.key, call.namespace, call.name)
    if found is None:
        raise status.not_found(call.resource, call.name)
    return found


def get(core: Core, call: Call) -> Object:
    """The object that a call names, in the version of the call.

    :raises ApiError: 404.
    """
    return conversion.from_storage(call.kind, stored(core, call))


def page(core: Core, call: Call, chosen: Filter, *, limit: int = 0, token: str = "") -> Page:
    """The objects of a namespace (or all) that the filter lets through, at most `limit` (0: all).

    :raises ApiError: 410 for a `token` that is too old.
    """
    if token:
        items, revision = core.snapshots.take(token)
    else:
        revision = str(core.store.revision)
        found = core.store.list(call.kind.key, call.namespace)
        items = [obj for obj in found if chosen.matches(obj)] if chosen else found
    rest = items[limit:] if limit else []
    kept = core.snapshots.keep(rest, revision) if rest else ""
    here = items[:limit] if limit else items
    served = [conversion.from_storage(call.kind, obj) for obj in here]
    return Page(served, revision, kept, len(rest))
