"""``istioctl install``: apply the components in the order of their dependencies and wait until they are ready."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from meshcourse import versions
from meshcourse.embedded.client.protocol import Client
from meshcourse.embedded.istioctl import context
from meshcourse.embedded.istioctl.commands import waiting
from meshcourse.embedded.istioctl.commands.progress import Progress
from meshcourse.embedded.istioctl.context import Context, Failure
from meshcourse.embedded.istioctl.manifests import components, options
from meshcourse.embedded.istioctl.manifests.components import Component
from meshcourse.embedded.istioctl.parsing import flag
from meshcourse.embedded.istiod.agent.settings import seconds
from meshcourse.embedded.kube import objects
from meshcourse.embedded.kube.objects import Object
from meshcourse.embedded.kube.status import ApiError

MANAGER = "istio-operator"
#: Say why after so many seconds without progress.
_IMPATIENT = 5.0

_SAIL = r"""
      |\
      | \
     /|  \
    / |   \
   /__|____\
  \_________/  Istio on your own machine
"""


def add(commands: Any, parents: Sequence[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "install",
        aliases=["apply"],
        parents=parents,
        help="Applies an Istio manifest, installing or reconfiguring Istio on a cluster.",
        description="Applies what a profile and settings ask for, and waits until it is ready.",
        epilog="  istioctl install --set profile=demo -y\n"
        "  istioctl install --set meshConfig.accessLogFile=/dev/stdout",
    )
    parser.add_argument("--filename", "-f", action="append", default=[], help="IstioOperator file")
    parser.add_argument(
        "--set", "-s", action="append", default=[], dest="settings", help="path=value of a setting"
    )
    parser.add_argument("--revision", "-r", default="", help="Target control plane revision")
    flag(parser, "--skip-confirmation", "-y", help="Do not ask")
    parser.add_argument(
        "--readiness-timeout", type=seconds, default=300.0, help="How long to wait, as in 90s"
    )
    flag(parser, "--dry-run", help="Say what would be installed")
    flag(parser, "--force", help="accepted; nothing is checked beforehand")
    flag(parser, "--verify", help="accepted; waiting is verification")
    parser.set_defaults(run=run)


def run(ctx: Context, arguments: argparse.Namespace) -> int:
    settings = [*arguments.settings]
    if arguments.revision:
        settings.append(f"revision={arguments.revision}")
    documents = [one for path in arguments.filename for one in load(path)]
    spec = options.resolve(documents, settings)
    profile = spec.get("profile") or "default"
    ctx.print(_SAIL)
    question = f"This will install the Istio {versions.ISTIO} profile {profile!r} into the cluster."
    question = question.replace("'", '"')
    if not (arguments.skip_confirmation or arguments.dry_run) and not confirm(ctx, question):
        ctx.print("Cancelled.")
        return 1
    parts = components.build(spec)
    if arguments.dry_run:
        for part in parts:
            ctx.print(f"✔ {part.title} installed {part.icon} (dry run)")
        return 0
    context.run(_install(ctx, parts, arguments.readiness_timeout))
    return 0


def confirm(ctx: Context, question: str) -> bool:
    """Ask; anything but yes means no."""
    ctx.out.write(f"{question} Proceed? (y/N) ")
    ctx.out.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def load(path: str) -> list[Any]:
    """The IstioOperator documents of a file.

    :raises Failure: if it cannot be read.
    """
    try:
        text = sys.stdin.read() if path == "-" else Path(path).read_text()
        return [one for one in yaml.safe_load_all(text) if one]
    except (OSError, yaml.YAMLError) as error:
        raise Failure(f"failed to read {path}: {error}") from error


async def _install(ctx: Context, parts: list[Component], timeout: float) -> None:
    progress = Progress(ctx.out)
    async with ctx.client() as client:
        await apply(client, components.namespace())
        done = {part.name: asyncio.Event() for part in parts}
        errors: list[str] = []

        async def one(part: Component) -> None:
            for name in part.needs:
                if name in done:
                    await done[name].wait()
            try:
                if not errors:
                    await _component(client, part, progress, timeout)
            except (Failure, ApiError) as error:
                errors.append(error.message)
                progress.failed(part, error.message)
            finally:
                done[part.name].set()

        await asyncio.gather(*(one(part) for part in parts))
    if errors:
        raise Failure(f"failed to install manifests: {'; '.join(errors)}")
    progress.complete("Installation complete")


async def _component(client: Client, part: Component, progress: Progress, timeout: float) -> None:
    progress.begin(part)
    for group in _in_order(part.objects):
        await asyncio.gather(*(apply(client, obj) for obj in group))
    pending = {describe(obj): obj for obj in part.objects if _waits(obj)}
    _report(progress, part, pending)
    waits = [asyncio.create_task(_wait(client, part, progress, pending, name)) for name in pending]
    complaints = asyncio.create_task(_explain(client, progress, pending))
    try:
        async with asyncio.timeout(timeout):
            await asyncio.gather(*waits)
    except TimeoutError:
        lines = [line for obj in pending.values() for line in await _reasons(client, obj)]
        raise Failure(
            "failed to wait for resource: resources not ready after "
            f"{timeout:g}s: context deadline exceeded\n{', '.join(pending)}\n" + "\n".join(lines),
            remedy="look at the pods: kubectl -n istio-system get pods, describe pod, logs",
        ) from None
    finally:
        complaints.cancel()
        await asyncio.gather(complaints, *waits, return_exceptions=True)
    progress.finished(part)


async def _wait(
    client: Client, part: Component, progress: Progress, pending: dict[str, Object], name: str
) -> None:
    await waiting.until_ready(client, pending[name])
    del pending[name]
    _report(progress, part, pending)


def _report(progress: Progress, part: Component, pending: dict[str, Object]) -> None:
    """Name what is waited for; CRDs are established before anyone could read their names."""
    names = [name for name, obj in pending.items() if obj["kind"] == "Deployment"]
    if names:
        progress.waiting_for(part, names)


async def _explain(client: Client, progress: Progress, pending: dict[str, Object]) -> None:
    """Say why it takes long, once for each new reason."""
    told: set[str] = set()
    while True:
        await asyncio.sleep(_IMPATIENT)
        for obj in list(pending.values()):
            for line in await _reasons(client, obj):
                if line not in told:
                    told.add(line)
                    progress.note(line)


async def _reasons(client: Client, obj: Object) -> list[str]:
    if obj["kind"] != "Deployment":
        return [f"{describe(obj)} is not established"]
    try:
        return await waiting.reasons(client, obj)
    except ApiError as error:
        return [error.message]


def _in_order(found: Sequence[Object]) -> list[list[Object]]:
    """Objects that may be applied at the same time: what others refer to goes first."""
    last = [obj for obj in found if obj["kind"] == "Deployment"]
    return [[obj for obj in found if obj["kind"] != "Deployment"], last]


def _waits(obj: Object) -> bool:
    return obj["kind"] in ("Deployment", "CustomResourceDefinition")


def describe(obj: Object) -> str:
    """``Deployment/istio-system/istiod``, as progress names it."""
    return "/".join(filter(None, (obj["kind"], objects.namespace(obj), objects.name(obj))))


async def apply(client: Client, obj: Object) -> None:
    """Server-side apply; a new CRD is created, which costs the server a tenth of that.

    :raises ApiError: as the server words it.
    """
    resource, namespace = context.resource_of(obj), objects.namespace(obj) or None
    if obj["kind"] == "CustomResourceDefinition":
        try:
            await client.create(resource, obj, field_manager=MANAGER)
        except ApiError as error:
            if error.code != 409:
                raise
        else:
            return
    await client.patch(
        resource,
        objects.name(obj),
        obj,
        namespace,
        kind="apply",
        field_manager=MANAGER,
        force=True,
    )
