"""``istioctl x envoy-stats``: the counters of one Envoy."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from typing import Any, Final

import yaml

from meshcourse.embedded.istioctl.commands.proxy_config import dump
from meshcourse.embedded.istioctl.context import Context, Failure

_SERVER: Final = {
    "": "stats",
    "short": "stats",
    "json": "stats?format=json",
    "yaml": "stats?format=json",
    "prom": "stats/prometheus",
    "prom-merged": "stats/prometheus",
}
_CLUSTERS: Final = {
    "": "clusters",
    "short": "clusters",
    "json": "clusters?format=json",
    "yaml": "clusters?format=json",
}


def add(commands: Any, parents: Sequence[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "envoy-stats",
        aliases=["es"],
        parents=parents,
        help="Retrieves Envoy metrics in the specified pod",
        description="The statistics of a proxy, as its own admin interface gives them.",
        epilog="  istioctl x envoy-stats deployment/reviews-v1\n"
        "  istioctl x envoy-stats deployment/reviews-v1 -o prom\n"
        "  istioctl x envoy-stats deployment/reviews-v1 --type clusters",
    )
    parser.add_argument("pod", nargs="?", default="", help="[<type>/]<name>[.<namespace>]")
    parser.add_argument("--type", "-t", default="server", help="server or clusters")
    parser.add_argument("--output", "-o", default="short", help="short, json, yaml or prom")
    parser.set_defaults(run=run)


def run(ctx: Context, options: argparse.Namespace) -> int:
    if not options.pod:
        raise Failure("stats requires pod name or label selector")
    text = dump.request(ctx, options.pod, page(options.type, options.output))
    if options.output == "yaml":
        text = yaml.safe_dump(json.loads(text))
    ctx.print(text.rstrip("\n"))
    return 0


def page(kind: str, output: str) -> str:
    """The admin page of a kind of statistics in a format.

    :raises Failure: for a kind or a format that does not exist.
    """
    if kind in ("server", "s"):
        found = _SERVER.get(output)
    elif kind in ("clusters", "c"):
        found = _CLUSTERS.get(output)
    else:
        raise Failure(f"unknown stats type {kind}")
    if found is None:
        raise Failure(f'output format "{output}" not supported')
    return found
