"""``istioctl version``: of this program, of istiod, and of the proxies that are connected."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

import yaml

from meshcourse import versions
from meshcourse.embedded.istioctl import context, control_plane, pods
from meshcourse.embedded.istioctl.context import Context, Failure
from meshcourse.embedded.istioctl.parsing import flag
from meshcourse.embedded.kube import objects
from meshcourse.errors import MeshcourseError

_LONG = (
    'version.BuildInfo{{Version:"{0}", GitRevision:"embedded", GolangVersion:"", '
    'BuildStatus:"Clean", GitTag:"{0}"}}'
)


def add(commands: Any, parents: Sequence[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "version",
        parents=parents,
        help="Prints out build version information",
        description="The versions of this program, of istiod and of the connected proxies.",
        epilog="  istioctl version\n  istioctl version --remote=false -o json",
    )
    flag(parser, "--short", "-s", default=True, help="One line each")
    flag(parser, "--remote", default=True, help="Ask the control plane, too")
    parser.add_argument("--output", "-o", default="", help="One of 'yaml' or 'json'.")
    parser.set_defaults(run=run)


def run(ctx: Context, arguments: argparse.Namespace) -> int:
    if arguments.output not in ("", "yaml", "json"):
        raise Failure("--output must be 'yaml' or 'json'")
    mesh: list[dict[str, str]] = []
    proxies: list[dict[str, str]] = []
    if arguments.remote:
        mesh, proxies = _remote(ctx)
    if arguments.output:
        _machine(ctx, arguments.output, mesh, proxies)
    else:
        _human(ctx, arguments, mesh, proxies)
    return 0


def _remote(ctx: Context) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    """Versions in the cluster; nothing, with a word why, if it cannot be asked."""
    try:
        return context.run(_ask(ctx))
    except MeshcourseError as error:
        ctx.warn(f"Istio is not present in the cluster: {error.message}")
        return [], []


async def _ask(ctx: Context) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    async with ctx.client() as client:
        running = await pods.istiods(client, ctx)
        mesh = [
            {
                "Component": "pilot",
                "Revision": objects.labels(pod).get("istio.io/rev", "default"),
                "Version": _tag(pod),
            }
            for pod in running
        ]
        entries = await control_plane.sync_status(client, ctx)
    proxies = [{"ID": e["proxy"], "IstioVersion": e.get("istio_version", "")} for e in entries]
    return mesh, proxies


def _tag(pod: objects.Object) -> str:
    image = str(pod["spec"]["containers"][0]["image"])
    return image.rpartition(":")[2]


def _machine(ctx: Context, form: str, mesh: list[Any], proxies: list[Any]) -> None:
    found: dict[str, Any] = {"clientVersion": {"version": versions.ISTIO, "tag": versions.ISTIO}}
    if mesh:
        found["meshVersion"] = mesh
        found["dataPlaneVersion"] = proxies
    if form == "json":
        ctx.print(json.dumps(found, indent=2))
    else:
        ctx.print(yaml.safe_dump(found))


def _human(
    ctx: Context,
    arguments: argparse.Namespace,
    mesh: list[dict[str, str]],
    proxies: list[dict[str, str]],
) -> None:
    def shown(version: str) -> str:
        return version if arguments.short else _LONG.format(version)

    ctx.print(f"client version: {shown(versions.ISTIO)}")
    if not mesh:
        return
    found = {entry["Version"] for entry in mesh}
    if len(found) == 1:
        ctx.print(f"control plane version: {shown(found.pop())}")
    else:
        for entry in mesh:
            ctx.print(f"{entry['Component']} version: {shown(entry['Version'])}")
    counts = Counter(entry["IstioVersion"] for entry in proxies)
    parts = [f"{version} ({count} proxies)" for version, count in sorted(counts.items())]
    ctx.print(f"data plane version: {', '.join(parts) or 'none'}")
