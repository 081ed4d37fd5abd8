"""The command line of ``istioctl tag``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

import yaml

from meshcourse.embedded.client.protocol import Client
from meshcourse.embedded.istioctl import context
from meshcourse.embedded.istioctl.analyze import messages, webhooks
from meshcourse.embedded.istioctl.analyze.collection import collect
from meshcourse.embedded.istioctl.commands.tag import existing, manifest
from meshcourse.embedded.istioctl.commands.tag.manifest import REVISION, TAG
from meshcourse.embedded.istioctl.context import Context, Failure
from meshcourse.embedded.istioctl.parsing import flag
from meshcourse.embedded.kube import objects, refs
from meshcourse.embedded.kube.objects import Object


def add(commands: Any, parents: Sequence[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "tag",
        parents=parents,
        help="Command group used to interact with revision tags",
        description="A tag is another name for a revision. Namespaces that carry the tag follow it from\n"
        "one revision to the next without being labelled anew.",
        unknown='unknown subcommand "{}"',
    )
    parser.set_defaults(run=lambda _ctx, _options: _help(parser))
    group = parser.add_subparsers(dest="action", metavar="COMMAND")
    for name, run, text in (
        ("set", _set, "Create or modify revision tags"),
        ("generate", _generate, "Generate configuration for a revision tag to stdout"),
    ):
        sub = _sub(group, parents, name, run, text, f"  istioctl tag {name} prod --revision canary")
        sub.add_argument("tag", nargs="*", help="<revision-tag>")
        sub.add_argument("--revision", "-r", required=True, help="The revision that is meant")
        sub.add_argument("--webhook-name", default="", help="Name of the webhook configuration")
        sub.add_argument("--manifests", "-d", default="", help="accepted; manifests are built in")
        flag(sub, "--overwrite", help="Change a tag that exists")
        flag(sub, "--skip-confirmation", "-y", help="Do not ask")
        flag(sub, "--auto-inject-namespaces", help="Inject all namespaces by default")
    listing = _sub(group, parents, "list", existing.show, "List existing revision tags", "", "show")
    listing.add_argument("--output", "-o", default="table", help="table, json or yaml")
    removal = "Remove Istio control plane revision tag"
    remove = _sub(
        group, parents, "remove", existing.remove, removal, "  istioctl tag remove prod", "delete"
    )
    remove.add_argument("tag", nargs="*", help="<revision-tag>")
    flag(remove, "--skip-confirmation", "-y", help="Do not ask")


def _sub(
    group: Any,
    parents: Sequence[argparse.ArgumentParser],
    name: str,
    run: Any,
    text: str,
    epilog: str,
    *aliases: str,
) -> Any:
    sub = group.add_parser(
        name, aliases=aliases, parents=parents, help=text, description=text, epilog=epilog
    )
    sub.set_defaults(run=run)
    return sub


def _help(parser: argparse.ArgumentParser) -> int:
    parser.print_help()
    return 0


def _set(ctx: Context, options: argparse.Namespace) -> int:
    return context.run(_make(ctx, options, apply=True))


def _generate(ctx: Context, options: argparse.Namespace) -> int:
    return context.run(_make(ctx, options, apply=False))


async def _make(ctx: Context, options: argparse.Namespace, *, apply: bool) -> int:
    tag = existing.only(options.tag, "modification", "creation")
    async with ctx.client() as client:
        hooks = await _canonical(client, ctx, options, tag, strict=apply)
        istiod = await _istiod(client, ctx, options.revision)
        made = manifest.webhook(
            hooks, tag, name=options.webhook_name, everywhere=options.auto_inject_namespaces
        )
        parts = [made, manifest.service(tag, istiod, ctx.istio_namespace)]
        if tag == manifest.DEFAULT and apply:
            await _deactivate(client)
        problems = await _conflicts(client, made)
        if problems and not options.skip_confirmation:
            ctx.warn(
                f"creating tag would conflict, pass --skip-confirmation to proceed:\n{problems}\n"
            )
            if apply and not existing.confirm(ctx, "Apply anyways? [y/N]"):
                return 0
        if not apply:
            ctx.out.write("\n---\n".join(yaml.safe_dump(one, sort_keys=False) for one in parts))
            return 0
        for one, resource in zip(parts, (refs.MUTATING_WEBHOOKS, refs.SERVICES), strict=True):
            where = objects.namespace(one) or None
            await client.patch(
                resource,
                objects.name(one),
                one,
                where,
                kind="apply",
                field_manager="istioctl",
                force=True,
            )
    ctx.print(
        f'Revision tag "{tag}" created, referencing control plane revision "{options.revision}". To '
        "enable injection using this\nrevision tag, use 'kubectl label namespace <NAMESPACE> "
        f"istio.io/rev={tag}'"
    )
    return 0


async def _canonical(
    client: Client, ctx: Context, options: argparse.Namespace, tag: str, *, strict: bool
) -> Object:
    """The webhook configuration that came with the revision.

    :raises Failure: if the tag may not be made.
    """
    fresh = strict and not options.overwrite and tag != manifest.DEFAULT
    if fresh and await existing.hooks(client, f"{REVISION}={tag},!{TAG}"):
        raise Failure(
            f'cannot create revision tag "{tag}": found existing control plane revision with same name'
        )
    found = await existing.hooks(client, f"{REVISION}={options.revision},!{TAG}")
    if not found:
        raise Failure(
            "cannot modify tag: cannot find MutatingWebhookConfiguration or Service with revision "
            f'"{options.revision}"'
        )
    if len(found) > 1:
        raise Failure(
            "cannot modify tag: found multiple canonical webhooks or services with revision "
            f'"{options.revision}"'
        )
    services = await client.list(refs.SERVICES, ctx.istio_namespace, label_selector=f"{TAG}={tag}")
    if not options.overwrite and (services.items or await existing.hooks(client, f"{TAG}={tag}")):
        raise Failure(f'revision tag "{tag}" already exists, and --overwrite is false')
    return found[0]


async def _istiod(client: Client, ctx: Context, revision: str) -> Object:
    selector = f"{REVISION}={revision},!{TAG},app=istiod"
    found = (await client.list(refs.SERVICES, ctx.istio_namespace, label_selector=selector)).items
    if not found:
        raise Failure(
            "cannot modify tag: cannot find MutatingWebhookConfiguration or Service with revision "
            f'"{revision}"'
        )
    return found[0]


async def _deactivate(client: Client) -> None:
    """The default revision's own webhooks make room for the default tag's."""
    for one in await existing.hooks(client, f"{REVISION}={manifest.DEFAULT},!{TAG}"):
        await client.update(refs.MUTATING_WEBHOOKS, manifest.deactivated(one))


async def _conflicts(client: Client, made: Object) -> str:
    """What ``istioctl analyze`` would say of the webhook."""
    kinds = {"MutatingWebhookConfiguration": refs.MUTATING_WEBHOOKS, "Service": refs.SERVICES}
    others: list[Object] = []
    for kind, resource in kinds.items():
        listed = (await client.list(resource)).items
        others += [
            {**one, "kind": kind} for one in listed if objects.name(one) != objects.name(made)
        ]
    found = messages.ordered(list(webhooks.webhooks(collect([made, *others]))))
    own = [one for one in found if one.item is not None and one.item.obj is made]
    return "\n".join(one.render() for one in own)
