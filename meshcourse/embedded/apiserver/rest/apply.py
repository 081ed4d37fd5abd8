"""Server-side apply."""

from __future__ import annotations

from typing import Any

from meshcourse.embedded.apiserver.core import Core
from meshcourse.embedded.apiserver.rest import read
from meshcourse.embedded.apiserver.rest.call import Call
from meshcourse.embedded.apiserver.rest.create import create
from meshcourse.embedded.apiserver.rest.update import change_object
from meshcourse.embedded.kube import objects, status
from meshcourse.embedded.kube.objects import Object
from meshcourse.embedded.kube.patches import merge


async def apply(core: Core, call: Call, config: Any) -> tuple[Object, bool]:
    try:
        read.get(core, call)
    except status.ApiError:
        return await create(core, call, objects.clone(config)), True

    def change(old: Object) -> Object:
        merged: Object = merge.apply(old, config)
        return objects.clone(merged)

    return await change_object(core, call, change), False
