"""Asking the cluster for what descriptions are made of."""

from __future__ import annotations

import json
from typing import Any, Final

from meshcourse.embedded.client.protocol import Client
from meshcourse.embedded.istioctl import exec
from meshcourse.embedded.istioctl.context import Context
from meshcourse.embedded.kube.objects import Key, Object
from meshcourse.embedded.kube.refs import Resource
from meshcourse.embedded.kube.status import ApiError

Json = dict[str, Any]
#: What is wrong with a proxy that was configured by an object of this kind and name.
STALE: Final = "WARNING: Proxy is stale; it references to non-existent {} {}"


async def config(ctx: Context, pod: Key) -> Json:
    """The configuration of a pod's proxy."""
    command = ["pilot-agent", "request", "GET", "config_dump"]
    found = json.loads(await exec.run(ctx, pod.namespace, pod.name, "istio-proxy", command))
    return dict(found)


async def maybe(client: Client, resource: Resource, key: Key | None) -> Object | None:
    """The object, unless it is not there."""
    if key is None:
        return None
    try:
        return await client.get(resource, key.name, key.namespace)
    except ApiError as error:
        if error.code == 404:
            return None
        raise
