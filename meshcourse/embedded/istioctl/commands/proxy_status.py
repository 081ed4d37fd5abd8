"""``istioctl proxy-status``: which proxies are connected, and whether they have what istiod meant them to have."""

from __future__ import annotations

import argparse
import datetime as dt
import json
from collections.abc import Sequence
from typing import Any

import yaml

from meshcourse.embedded.istioctl import context, control_plane, pods
from meshcourse.embedded.istioctl.context import Context, Failure

_ORDER = ("CDS", "LDS", "EDS", "RDS", "ECDS", "SDS")
_COMPARED = {"Clusters": "CDS", "Listeners": "LDS", "Routes": "RDS"}


def add(commands: Any, parents: Sequence[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "proxy-status",
        aliases=["ps"],
        parents=parents,
        help="Retrieves the synchronization status of each Envoy in the mesh",
        description="Which proxies are connected, and whether they have acknowledged what istiod has "
        "for them.",
        epilog="  istioctl proxy-status\n  istioctl proxy-status deployment/reviews-v1",
    )
    parser.add_argument("pod", nargs="?", default="", help="[<type>/]<name>[.<namespace>]")
    parser.add_argument("--output", "-o", default="table", help="one of json|yaml|table")
    parser.add_argument("--verbosity", "-v", type=int, default=0, help="1 shows all xDS types")
    parser.add_argument("--revision", "-r", default="", help="Control plane revision")
    parser.set_defaults(run=run)


def run(ctx: Context, arguments: argparse.Namespace) -> int:
    if arguments.output not in ("table", "json", "yaml"):
        raise Failure(f"output format {arguments.output!r} not supported")
    entries = context.run(_entries(ctx, arguments.pod))
    if arguments.output == "json":
        ctx.print(json.dumps(entries, indent=4))
    elif arguments.output == "yaml":
        ctx.print(yaml.safe_dump(entries))
    elif arguments.pod:
        ctx.print("\n".join(differences(entries[0])))
    else:
        ctx.print(context.table(rows(entries, verbose=arguments.verbosity > 0)))
    for line in refusals(entries):
        ctx.warn(line)
    return 0


async def _entries(ctx: Context, pod: str) -> list[dict[str, Any]]:
    async with ctx.client() as client:
        entries = await control_plane.sync_status(client, ctx)
        if not pod:
            return [e for e in entries if ctx.namespace in ("", e["namespace"])]
        key = await pods.resolve(client, ctx, pod)
    name = f"{key.name}.{key.namespace}"
    found = [entry for entry in entries if entry["proxy"] == name]
    if not found:
        raise Failure(
            f"{name} is not connected to istiod",
            remedy="does it have a sidecar? kubectl get pod shows 2/2; its log says more: "
            f"kubectl -n {key.namespace} logs {key.name} -c istio-proxy",
        )
    return found


def rows(entries: Sequence[dict[str, Any]], *, verbose: bool) -> list[list[str]]:
    """The table, with header."""
    if verbose:
        header = ["NAME", "CLUSTER", *_ORDER[:5], "ISTIOD", "VERSION"]
        return [header, *(_verbose(entry) for entry in entries)]
    header = ["NAME", "CLUSTER", "ISTIOD", "VERSION", "SUBSCRIBED TYPES"]
    return [header, *(_short(entry) for entry in entries)]


def _short(entry: dict[str, Any]) -> list[str]:
    resources = entry["resources"]
    types = [t for t in _ORDER if resources.get(t, {}).get("status", "IGNORED") != "IGNORED"]
    subscribed = f"{len(types)} ({','.join(types)})" if types else "0"
    return [*_who(entry), subscribed]


def _who(entry: dict[str, Any]) -> list[str]:
    return [entry["proxy"], entry["cluster_id"], entry["istiod"], entry["istio_version"]]


def _verbose(entry: dict[str, Any]) -> list[str]:
    name, cluster, istiod, version = _who(entry)
    return [
        name,
        cluster,
        *(_state(entry["resources"].get(t)) for t in _ORDER[:5]),
        istiod,
        version,
    ]


def _state(status: dict[str, Any] | None) -> str:
    """``SYNCED (12s)``."""
    if status is None or status["status"] in ("IGNORED", "NOT SENT"):
        return status["status"] if status else "IGNORED"
    age = dt.datetime.now(dt.UTC) - dt.datetime.fromisoformat(status["sentTime"])
    return f"{status['status']} ({_human(age.total_seconds())})"


def _human(seconds: float) -> str:
    """A duration as kubectl shortens it."""
    whole = int(max(0, seconds))
    if whole < 120:
        return f"{whole}s"
    if whole < 600:
        rest = whole % 60
        return f"{whole // 60}m{rest}s" if rest else f"{whole // 60}m"
    if whole < 3 * 3600:
        return f"{whole // 60}m"
    return f"{whole // 3600}h" if whole < 2 * 86400 else f"{whole // 86400}d"


def differences(entry: dict[str, Any]) -> list[str]:
    """For one proxy: whether what Envoy has acknowledged is what istiod has for it."""
    lines = []
    for title, kind in _COMPARED.items():
        status = entry["resources"].get(kind, {})
        same = status.get("status") in ("SYNCED", "IGNORED")
        lines.append(title + (" Match" if same else " Don't Match"))
        if status.get("lastError"):
            lines.append(f"  Envoy refused the last update: {status['lastError']}")
    return lines


def refusals(entries: Sequence[dict[str, Any]]) -> list[str]:
    """What Envoys refused, which a table of versions does not tell."""
    return [
        f"{entry['proxy']}: {kind} refused: {status['lastError']}"
        for entry in entries
        for kind, status in entry["resources"].items()
        if status.get("lastError")
    ]
