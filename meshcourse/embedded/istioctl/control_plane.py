"""Asking istiod: its debug pages, through ``pilot-discovery request`` in its pods."""

from __future__ import annotations

import json
from typing import Any

from meshcourse.embedded.client.protocol import Client
from meshcourse.embedded.istioctl import exec, pods
from meshcourse.embedded.istioctl.context import Context, Failure
from meshcourse.embedded.kube import objects

Json = dict[str, Any]


async def ask(client: Client, ctx: Context, path: str) -> list[tuple[str, Any]]:
    """The JSON page at `path` of every istiod, with the pod's name.

    :raises Failure: if there is no istiod, or none answers.
    """
    answers = []
    problem = ""
    for pod in await pods.istiods(client, ctx):
        name = objects.name(pod)
        command = ["pilot-discovery", "request", "GET", path]
        try:
            body = await exec.run(ctx, ctx.istio_namespace, name, "discovery", command)
            answers.append((name, json.loads(body)))
        except (Failure, ValueError) as error:
            problem = f"{name}: {error}"
    if not answers:
        raise Failure(f"no istiod answers: {problem}")
    return answers


async def sync_status(client: Client, ctx: Context) -> list[Json]:
    """One entry per connected proxy (``/debug/syncz``), with ``istiod``; sorted by the proxy's name."""
    found = [
        {**entry, "istiod": pod}
        for pod, entries in await ask(client, ctx, "/debug/syncz")
        for entry in entries
    ]
    return sorted(found, key=lambda entry: str(entry["proxy"]))
