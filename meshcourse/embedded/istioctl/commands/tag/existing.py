"""The tags that there are: showing and removing them."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from typing import Any, Final

import yaml

from meshcourse.embedded.client.protocol import Client
from meshcourse.embedded.istioctl import context
from meshcourse.embedded.istioctl.commands.tag.manifest import REVISION, TAG
from meshcourse.embedded.istioctl.context import Context, Failure
from meshcourse.embedded.kube import objects, refs
from meshcourse.embedded.kube.objects import Object

_HEADER: Final = ["TAG", "REVISION", "NAMESPACES"]
_FORMATS: Final = ("table", "json", "yaml")


def only(names: Sequence[str], purpose: str, many: str) -> str:
    """The one tag that was named."""
    if not names:
        raise Failure(f"must provide a tag for {purpose}")
    if len(names) > 1:
        raise Failure(f"must provide a single tag for {many}")
    return names[0]


async def hooks(client: Client, selector: str) -> list[Object]:
    """Webhook configurations by label."""
    return (await client.list(refs.MUTATING_WEBHOOKS, label_selector=selector)).items


def confirm(ctx: Context, question: str) -> bool:
    """Ask; anything but yes means no."""
    ctx.out.write(f"{question} ")
    ctx.out.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def show(ctx: Context, options: argparse.Namespace) -> int:
    """``istioctl tag list``."""
    if options.output not in _FORMATS:
        raise Failure(f"unknown format: {options.output}")
    found = context.run(_tags(ctx))
    if not found:
        ctx.print("No Istio revision tags found.")
    elif options.output == "json":
        ctx.print(json.dumps(found, indent=2))
    elif options.output == "yaml":
        ctx.out.write(yaml.safe_dump(found, sort_keys=False))
    else:
        rows = [[one["tag"], one["revision"], ",".join(one["namespaces"])] for one in found]
        ctx.print(context.table([_HEADER, *rows], 1))
    return 0


async def _tags(ctx: Context) -> list[dict[str, Any]]:
    """Tags with their revisions; revisions without a tag have a row of their own."""
    async with ctx.client() as client:
        carriers = await hooks(client, REVISION)
        services = await client.list(refs.SERVICES, ctx.istio_namespace, label_selector=REVISION)
        labels = [objects.labels(one) for one in (*carriers, *services.items)]
        pairs = {(one[REVISION], one.get(TAG, "")) for one in labels}
        tagged = {revision for revision, tag in pairs if tag}
        shown = sorted(pair for pair in pairs if pair[1] or pair[0] not in tagged)
        return [
            {"tag": tag, "revision": revision, "namespaces": await _namespaces(client, tag)}
            for revision, tag in shown
        ]


async def _namespaces(client: Client, tag: str) -> list[str]:
    found = await client.list(refs.NAMESPACES, label_selector=f"{REVISION}={tag}")
    return [objects.name(one) for one in found.items]


def remove(ctx: Context, options: argparse.Namespace) -> int:
    """``istioctl tag remove``."""
    return context.run(_delete(ctx, only(options.tag, "removal", "removal"), options))


async def _delete(ctx: Context, tag: str, options: argparse.Namespace) -> int:
    selector = f"{TAG}={tag}"
    async with ctx.client() as client:
        found = await hooks(client, selector)
        services = await client.list(refs.SERVICES, ctx.istio_namespace, label_selector=selector)
        if not found and not services.items:
            raise Failure(
                f'cannot remove tag "{tag}": cannot find MutatingWebhookConfiguration or Service for tag'
            )
        users = await _namespaces(client, tag)
        question = (
            f'Caution, found {len(users)} namespace(s) still injected by tag "{tag}": '
            f"{' '.join(users)}\nProceed with operation? [y/N]"
        )
        if users and not options.skip_confirmation and not confirm(ctx, question):
            ctx.print("Aborting operation.")
            return 0
        for one in found:
            await client.delete(refs.MUTATING_WEBHOOKS, objects.name(one))
        for one in services.items:
            await client.delete(refs.SERVICES, objects.name(one), ctx.istio_namespace)
    ctx.print(f"Revision tag {tag} removed")
    return 0
