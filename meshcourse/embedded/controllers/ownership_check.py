"""Are the owners that an object names still there? First the caches are asked, and before a deletion the server."""

from __future__ import annotations

from dataclasses import dataclass, field

from meshcourse.embedded.client.informer import Informer
from meshcourse.embedded.client.protocol import Client
from meshcourse.embedded.controllers import refusals
from meshcourse.embedded.controllers.served import ServedKinds
from meshcourse.embedded.kube import objects
from meshcourse.embedded.kube.objects import Object
from meshcourse.embedded.kube.status import ApiError

_FOREGROUND = "foregroundDeletion"


@dataclass(slots=True)
class Owners:
    """Owner references by the state of what they point at.

    :ivar solid: it is there, or of a kind that is not served, which must count as there.
    :ivar unknown: those of the solid ones whose kind is not served.
    :ivar absent: it is gone, or another object has its name now.
    :ivar waiting: it is being deleted in the foreground and waits for this dependent.
    """

    solid: list[Object] = field(default_factory=list)
    unknown: list[Object] = field(default_factory=list)
    absent: list[Object] = field(default_factory=list)
    waiting: list[Object] = field(default_factory=list)


async def classify(client: Client, served: ServedKinds, dependent: Object) -> Owners:
    """Sort the owner references of `dependent`."""
    owners = Owners()
    for ref in dependent["metadata"].get("ownerReferences") or []:
        informer = served.by_kind(ref["apiVersion"], ref["kind"])
        if informer is None and served.is_dropped(ref["apiVersion"], ref["kind"]):
            owners.absent.append(ref)
            continue
        if informer is None:
            owners.solid.append(ref)
            owners.unknown.append(ref)
            continue
        owner = await _find(client, informer, dependent, ref)
        if owner is None:
            owners.absent.append(ref)
        elif _waits(owner, ref):
            owners.waiting.append(ref)
        else:
            owners.solid.append(ref)
    return owners


async def _find(
    client: Client, informer: Informer, dependent: Object, ref: Object
) -> Object | None:
    namespace = objects.namespace(dependent) if informer.resource.namespaced else ""
    cached = informer.get(namespace, ref["name"])
    if cached is not None and objects.uid(cached) == ref["uid"]:
        return cached
    try:
        fresh = await client.get(informer.resource, ref["name"], namespace or None)
    except ApiError as error:
        if refusals.is_gone(error):
            return None
        raise
    return fresh if objects.uid(fresh) == ref["uid"] else None


def _waits(owner: Object, ref: Object) -> bool:
    finalizers = owner["metadata"].get("finalizers") or []
    return (
        objects.deleting(owner)
        and _FOREGROUND in finalizers
        and bool(ref.get("blockOwnerDeletion"))
    )
