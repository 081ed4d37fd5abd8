"""A config dump: fetched from a proxy or read from a file, and the lists in it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from meshcourse.embedded.istioctl import context, exec, pods
from meshcourse.embedded.istioctl.context import Context, Failure

Json = dict[str, Any]
_PREFIX = "type.googleapis.com/envoy.admin.v3."
_ECDS = _PREFIX + "EcdsConfigDump"


def request(ctx: Context, pod: str, path: str, method: str = "GET") -> str:
    """Envoy's answer to an admin request, through ``pilot-agent`` in the pod.

    :raises Failure: if there is no such pod, or no proxy in it.
    """
    return context.run(_request(ctx, pod, path, method))


async def _request(ctx: Context, pod: str, path: str, method: str) -> str:
    async with ctx.client() as client:
        key = await pods.resolve(client, ctx, pod)
    command = ["pilot-agent", "request", method, path]
    try:
        body = await exec.run(ctx, key.namespace, key.name, "istio-proxy", command)
    except Failure as error:
        raise Failure(
            f"failed to execute command on {key.name}.{key.namespace} sidecar: {error.message}"
        ) from error
    return body.decode()


def load(
    ctx: Context, pod: str, file: str, path: str = "config_dump", *, title: str = "proxy-config"
) -> Json:
    """The dump of a pod's Envoy, or of a file.

    :param title: who asks, for the error.
    :raises Failure: if neither can be had.
    """
    if not pod and not file:
        raise Failure(f"{title} requires pod name or --file parameter")
    try:
        text = Path(file).read_text() if file else request(ctx, pod, path)
        return dict(json.loads(text))
    except (OSError, ValueError) as error:
        raise Failure(f"error reading config dump: {error}") from error


def section(dump: Json, name: str) -> Json:
    """The part ``ClustersConfigDump`` (and so on); empty if there is none."""
    for part in dump.get("configs") or ():
        if part.get("@type") == _PREFIX + name:
            return dict(part)
    return {}


def clusters(dump: Json) -> list[Json]:
    part = section(dump, "ClustersConfigDump")
    return [
        entry["cluster"]
        for group in ("dynamic_active_clusters", "static_clusters")
        for entry in part.get(group) or ()
    ]


def listeners(dump: Json) -> list[Json]:
    part = section(dump, "ListenersConfigDump")
    dynamic = (entry.get("active_state") or {} for entry in part.get("dynamic_listeners") or ())
    static = part.get("static_listeners") or ()
    return [entry["listener"] for entry in (*dynamic, *static) if "listener" in entry]


def routes(dump: Json) -> list[Json]:
    part = section(dump, "RoutesConfigDump")
    return [
        entry["route_config"]
        for group in ("dynamic_route_configs", "static_route_configs")
        for entry in part.get(group) or ()
        if "route_config" in entry
    ]


def secrets(dump: Json) -> Iterator[tuple[str, Json]]:
    """State (``ACTIVE``, ``WARMING``) and entry of each secret."""
    part = section(dump, "SecretsConfigDump")
    groups = {"dynamic_active_secrets": "ACTIVE", "dynamic_warming_secrets": "WARMING"}
    for group, state in groups.items():
        for entry in part.get(group) or ():
            yield state, entry


def extensions(dump: Json) -> Json:
    """All ``EcdsConfigDump`` as one: Envoy has several when filters of several kinds are discovered."""
    parts = [part for part in dump.get("configs") or () if part.get("@type") == _ECDS]
    return {"ecds_filters": [entry for part in parts for entry in part.get("ecds_filters") or ()]}


def origin(resource: Json) -> str:
    """``reviews.default``: the Istio object that a resource was made from; "" if its metadata does not say."""
    metadata = (resource.get("metadata") or {}).get("filter_metadata") or {}
    path = str((metadata.get("istio") or {}).get("config") or "")
    parts = path.split("/")
    if path.startswith("/apis/networking.istio.io/") and len(parts) == 8:
        return f"{parts[7]}.{parts[5]}"
    return "<unknown>" if path else ""
