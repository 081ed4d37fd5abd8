"""``istioctl experimental`` (``x``): the commands that may change."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Sequence
from typing import Any

_COMMANDS = ("authz", "check_inject", "describe", "envoy_stats", "precheck")


def add(commands: Any, parents: Sequence[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "experimental",
        aliases=["x", "exp"],
        parents=parents,
        help="Experimental commands that may be modified or deprecated",
        description="Commands that real Istio may still change or remove.",
    )
    group = parser.add_subparsers(dest="experiment", metavar="COMMAND")
    for name in _COMMANDS:
        importlib.import_module(f"{__name__}.{name}").add(group, parents)
    parser.set_defaults(run=lambda _ctx, _options: _help(parser))


def _help(parser: argparse.ArgumentParser) -> int:
    parser.print_help()
    return 0
