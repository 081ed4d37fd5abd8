"""The verbs, with subresources and the kinds that are answered without being stored sorted out.

Both doors lead here: HTTP (`http.resources`) and the in-process client (`local.LocalClient`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from meshcourse.embedded.apiserver.core import Core
from meshcourse.embedded.apiserver.rest import create as creating
from meshcourse.embedded.apiserver.rest import delete as deleting
from meshcourse.embedded.apiserver.rest import patch as patching
from meshcourse.embedded.apiserver.rest import read as reading
from meshcourse.embedded.apiserver.rest import update as updating
from meshcourse.embedded.apiserver.rest import virtual
from meshcourse.embedded.apiserver.rest.call import Call
from meshcourse.embedded.apiserver.rest.filters import Filter
from meshcourse.embedded.apiserver.rest.patch import PatchKind
from meshcourse.embedded.apiserver.rest.read import Page
from meshcourse.embedded.kube.objects import Object


@dataclass(frozen=True, slots=True)
class Answer:
    """What a verb returns. `foreign`: not an object of the call's kind (a Status, a Scale, a review)."""

    object: Object
    code: int = 200
    foreign: bool = False


async def read(core: Core, call: Call) -> Answer:
    """GET of an object or of one of its subresources."""
    handler = virtual.find(call)
    if handler:
        return Answer(await handler.get(core, call), foreign=True)
    return Answer(reading.get(core, call))


def list_page(core: Core, call: Call, chosen: Filter, limit: int, token: str) -> Page:
    """GET of a collection."""
    handler = virtual.find(call)
    if handler:
        return handler.list(core, call, chosen)
    return reading.page(core, call, chosen, limit=limit, token=token)


async def create(core: Core, call: Call, body: Object) -> Answer:
    """POST. The body is handed over."""
    handler = virtual.find(call)
    if handler:
        return Answer(await handler.create(core, call, body), 201, foreign=True)
    return Answer(await creating.create(core, call, body), 201)


async def update(core: Core, call: Call, body: Object) -> Answer:
    """PUT. The body is handed over."""
    handler = virtual.find(call)
    if handler:
        return Answer(await handler.update(core, call, body), foreign=True)
    return Answer(await updating.update(core, call, body))


async def patch(core: Core, call: Call, body: Any, kind: PatchKind) -> Answer:
    """PATCH."""
    handler = virtual.find(call)
    if handler:
        return Answer(await handler.patch(core, call, body, kind), foreign=True)
    obj, new = await patching.patch(core, call, body, kind)
    return Answer(obj, 201 if new else 200)


async def delete(core: Core, call: Call, body: Object) -> Answer:
    """DELETE of one object; `body` holds DeleteOptions."""
    found = await deleting.delete(core, call, deleting.options(body))
    return Answer(found, foreign=found.get("kind") == "Status")


async def delete_collection(core: Core, call: Call, chosen: Filter, body: Object) -> Answer:
    """DELETE of a collection."""
    wanted = deleting.options(body)
    found = await deleting.delete_collection(core, replace(call), chosen, wanted)
    page = Page(found, str(core.store.revision))
    resource = call.resource
    kind = {"kind": f"{resource.kind}List", "apiVersion": resource.api_version}
    return Answer({**kind, "metadata": page.meta(), "items": found}, foreign=True)
