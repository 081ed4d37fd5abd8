"""``istioctl uninstall``: remove what was installed, recognised by its labels."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from meshcourse.embedded.client.protocol import Client
from meshcourse.embedded.istioctl import context
from meshcourse.embedded.istioctl.commands import install
from meshcourse.embedded.istioctl.commands.progress import Progress
from meshcourse.embedded.istioctl.context import Context, Failure
from meshcourse.embedded.istioctl.parsing import flag
from meshcourse.embedded.kube import objects
from meshcourse.embedded.kube.objects import Object
from meshcourse.embedded.kube.status import ApiError

_COMPONENT = "operator.istio.io/component"
#: In this order; the namespace stays, as with real istioctl.
_KINDS = (
    "MutatingWebhookConfiguration",
    "ValidatingWebhookConfiguration",
    "Deployment",
    "Service",
    "ConfigMap",
    "ServiceAccount",
    "RoleBinding",
    "Role",
    "ClusterRole",
    "ClusterRoleBinding",
    "CustomResourceDefinition",
)
_SHARED = frozenset({"CustomResourceDefinition"})


def add(commands: Any, parents: Sequence[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "uninstall",
        parents=parents,
        help="Uninstall Istio from a cluster",
        description="Removes a control plane, or with --purge everything of Istio.",
        epilog="  istioctl uninstall --revision canary\n  istioctl uninstall --purge -y",
    )
    flag(parser, "--purge", help="Delete all Istio related sources")
    parser.add_argument("--revision", "-r", default="", help="Target control plane revision")
    flag(parser, "--skip-confirmation", "-y", help="Do not ask")
    flag(parser, "--dry-run", help="Say what would be removed")
    flag(parser, "--force", help="accepted for compatibility")
    parser.set_defaults(run=run)


def run(ctx: Context, arguments: argparse.Namespace) -> int:
    if not (arguments.purge or arguments.revision):
        raise Failure(
            "at least one of the --revision (or --set revision=<revision>), --filename or --purge "
            "flags must be set"
        )
    warning = "All Istio resources will be pruned from the cluster\n" if arguments.purge else ""
    if arguments.dry_run or arguments.skip_confirmation:
        if warning:
            ctx.print(warning)
    elif not install.confirm(ctx, warning.rstrip("\n") or "Istio will be removed."):
        ctx.print("Cancelled.")
        return 1
    context.run(_uninstall(ctx, arguments))
    return 0


async def _uninstall(ctx: Context, arguments: argparse.Namespace) -> None:
    selector = _COMPONENT if arguments.purge else f"{_COMPONENT},istio.io/rev={arguments.revision}"
    kinds = [kind for kind in _KINDS if arguments.purge or kind not in _SHARED]
    async with ctx.client() as client:
        found = [obj for kind in kinds for obj in await _labelled(client, kind, selector)]
        if not found and not arguments.purge:
            raise Failure("could not find target revision")
        for obj in found:
            await _remove(ctx, client, obj, dry_run=arguments.dry_run)
    Progress(ctx.out).complete("Uninstall complete")


async def _labelled(client: Client, kind: str, selector: str) -> list[Object]:
    found = await client.list(context.KINDS[kind], label_selector=selector)
    return [{**obj, "kind": kind} for obj in found.items]


async def _remove(ctx: Context, client: Client, obj: Object, *, dry_run: bool) -> None:
    resource = context.resource_of(obj)
    group = f"{resource.group}/" if resource.group else "/"
    title = f"{group}{resource.version}, Kind={resource.kind}"
    name = f"{title}/{objects.name(obj)}.{objects.namespace(obj)}"
    if dry_run:
        ctx.print(f"Not pruning object {name} because of dry run.")
        return
    try:
        await client.delete(resource, objects.name(obj), objects.namespace(obj) or None)
    except ApiError as error:
        if error.code != 404:
            raise
        ctx.print(f"object: {name} is not being deleted because it no longer exists")
        return
    ctx.print(f"  Removed {name}.")
