"""Who owns what: finding owners of changed objects, adopting orphans, releasing strangers.

Source: Kubernetes' controller reference manager: a matching object without a controller is adopted; one
that is controlled but no longer matches is released.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from meshcourse.embedded.client.informer import Informer
from meshcourse.embedded.client.protocol import Client
from meshcourse.embedded.controllers.context import FIELD_MANAGER
from meshcourse.embedded.kube import objects, selectors
from meshcourse.embedded.kube.objects import Key, Object
from meshcourse.embedded.kube.refs import Resource
from meshcourse.embedded.kube.status import ApiError


def watch_owned(children: Informer, owners: Informer, add: Callable[[Key], None]) -> None:
    """Call `add` with the key of the owner whenever one of its children changes.

    Orphans queue every owner whose selector matches: one of them will adopt.
    """

    def changed(type_: str, obj: Object, old: Object | None) -> None:
        owner = controller_of(obj, owners)
        before = controller_of(old, owners) if old is not None else None
        for found in (owner, before):
            if found is not None:
                add(objects.key(found))
        if type_ != "DELETED" and objects.owner(obj) is None and _identity_changed(obj, old):
            for candidate in owners.by_namespace(objects.namespace(obj)):
                if _selects(candidate, obj):
                    add(objects.key(candidate))

    children.add_handler(changed)


def controller_of(obj: Object, owners: Informer) -> Object | None:
    """The object of the owners' kind that controls `obj`, if it is in the cache."""
    ref = objects.owner(obj)
    if ref is None or ref["kind"] != owners.resource.kind:
        return None
    found = owners.get(objects.namespace(obj), ref["name"])
    return found if found is not None and objects.uid(found) == ref["uid"] else None


def is_controlled_by(obj: Object, owner: Object) -> bool:
    ref = objects.owner(obj)
    return ref is not None and ref["uid"] == objects.uid(owner)


async def claim(
    client: Client, owner: Object, owner_resource: Resource, children: Informer
) -> list[Object]:
    """The children of `owner` after adopting orphans and releasing those that no longer match its selector."""
    kept: list[Object] = []
    for child in children.by_owner(objects.uid(owner)):
        if not is_controlled_by(child, owner):
            continue
        if _selects(owner, child) or objects.deleting(child):
            kept.append(child)
        elif not objects.deleting(owner):
            await _release(client, children.resource, owner, child)
    for orphan in _orphans(owner, children):
        if await _still_there(client, owner, owner_resource):
            adopted = await _adopt(client, children.resource, owner, orphan)
            kept.extend([adopted] if adopted else [])
    return kept


def _orphans(owner: Object, children: Informer) -> Iterable[Object]:
    """Matching children without any controller. A deleting owner adopts nothing, a deleting child is not adopted."""
    if objects.deleting(owner):
        return []
    selector = owner["spec"].get("selector") or {}
    candidates = children.by_label(selector.get("matchLabels") or {}, objects.namespace(owner))
    return [
        child
        for child in candidates
        if objects.owner(child) is None and not objects.deleting(child) and _selects(owner, child)
    ]


async def _still_there(client: Client, owner: Object, resource: Resource) -> bool:
    """Ask the server, not the cache: adopting for an owner that is gone would make an orphan again."""
    try:
        fresh = await client.get(resource, objects.name(owner), objects.namespace(owner))
    except ApiError as error:
        if error.code == 404:
            return False
        raise
    return objects.uid(fresh) == objects.uid(owner) and not objects.deleting(fresh)


async def _adopt(client: Client, resource: Resource, owner: Object, child: Object) -> Object | None:
    references = [
        *(child["metadata"].get("ownerReferences") or []),
        objects.owner_reference(owner),
    ]
    return await _set_owners(client, resource, child, references)


async def _release(client: Client, resource: Resource, owner: Object, child: Object) -> None:
    references = child["metadata"].get("ownerReferences") or []
    rest = [ref for ref in references if ref["uid"] != objects.uid(owner)]
    await _set_owners(client, resource, child, rest)


async def _set_owners(
    client: Client, resource: Resource, child: Object, references: list[Object]
) -> Object | None:
    """None if the child is gone. The uid in the patch refuses a namesake, the version a lost update."""
    meta = child["metadata"]
    change = {
        "uid": meta["uid"],
        "resourceVersion": meta.get("resourceVersion"),
        "ownerReferences": references or None,
    }
    try:
        return await client.patch(
            resource,
            meta["name"],
            {"metadata": change},
            meta.get("namespace"),
            field_manager=FIELD_MANAGER,
        )
    except ApiError as error:
        if error.code == 404:
            return None
        raise


def _selects(owner: Object, child: Object) -> bool:
    return selectors.from_object(owner["spec"].get("selector")).matches(objects.labels(child))


def _identity_changed(obj: Object, old: Object | None) -> bool:
    return (
        old is None
        or objects.labels(obj) != objects.labels(old)
        or (objects.owner(obj) != objects.owner(old))
    )
