"""The history of templates of StatefulSets and DaemonSets, kept as ControllerRevisions.

Source: API reference of ControllerRevision; ``kubectl rollout history`` and ``undo`` read them and apply ``data`` as a
strategic merge patch.
"""

from __future__ import annotations

from meshcourse.embedded.client.informer import Informer
from meshcourse.embedded.controllers import naming, refusals
from meshcourse.embedded.controllers.context import FIELD_MANAGER
from meshcourse.embedded.controllers.controller import Controller
from meshcourse.embedded.kube import objects
from meshcourse.embedded.kube.objects import Key, Object
from meshcourse.embedded.kube.refs import Resource
from meshcourse.embedded.kube.status import ApiError

RESOURCE = Resource("apps", "v1", "controllerrevisions", "ControllerRevision")

#: The label by which a pod says which revision it was made from.
HASH = "controller-revision-hash"


class History:
    """The revisions of the objects of one controller."""

    def __init__(self, controller: Controller, informer: Informer) -> None:
        self._controller = controller
        self._informer = informer

    def of(self, owner: Object) -> list[Object]:
        """All revisions of `owner`, oldest first."""
        found = self._informer.by_owner(objects.uid(owner))
        return sorted(found, key=lambda one: (int(one.get("revision", 0)), objects.name(one)))

    async def current(self, key: Key, owner: Object) -> Object:
        """The revision of the owner's template, made, or numbered anew if it comes back."""
        data = _data(owner)
        known = self.of(owner)
        newest = int(known[-1]["revision"]) if known else 0
        alike = next((one for one in reversed(known) if one["data"] == data), None)
        if alike is None:
            return await self._create(key, owner, data, newest + 1)
        if alike["revision"] == newest:
            return alike
        changed = {**alike, "revision": newest + 1}
        written = await self._controller.client.update(
            RESOURCE, changed, field_manager=FIELD_MANAGER
        )
        return self._controller.writes.wrote(key, self._informer, written)

    async def trim(self, owner: Object, live: set[str]) -> None:
        """Delete what exceeds ``revisionHistoryLimit``, never a revision whose name is in `live`."""
        limit = int(objects.dig(owner, "spec.revisionHistoryLimit", 10))
        old = [one for one in self.of(owner) if objects.name(one) not in live]
        for one in old[: max(0, len(old) - limit)]:
            namespace, name = objects.key(one)
            try:
                await self._controller.client.delete(RESOURCE, name, namespace)
            except ApiError as error:
                if not refusals.is_gone(error):
                    raise

    async def _create(self, key: Key, owner: Object, data: Object, revision: int) -> Object:
        mark = naming.template_hash(owner["spec"]["template"], _collisions(owner))
        labels = objects.dig(owner, "spec.template.metadata.labels", {})
        namespace = objects.namespace(owner)
        wanted: Object = {
            "apiVersion": RESOURCE.api_version,
            "kind": RESOURCE.kind,
            "metadata": {
                "name": f"{objects.name(owner)}-{mark}",
                "namespace": namespace,
                "labels": labels | {HASH: mark},
                "ownerReferences": [objects.owner_reference(owner)],
            },
            "data": data,
            "revision": revision,
        }
        client = self._controller.client
        made = await client.create(RESOURCE, wanted, namespace, field_manager=FIELD_MANAGER)
        return self._controller.writes.wrote(key, self._informer, made)


def _data(owner: Object) -> Object:
    return {"spec": {"template": {**owner["spec"]["template"], "$patch": "replace"}}}


def _collisions(owner: Object) -> int:
    return int(objects.dig(owner, "status.collisionCount", 0))
