"""``istioctl proxy-config log``: Envoy's logging levels, to see and to set."""

from __future__ import annotations

import argparse
import re

from meshcourse.embedded.istioctl.commands.proxy_config import dump
from meshcourse.embedded.istioctl.context import Context, Failure

_LEVELS = ("trace", "debug", "info", "warning", "error", "critical", "off")
_DEFAULT = "warning"


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--level", default="", help="[level:]… for example http:debug,rbac:debug")
    parser.add_argument("--reset", "-r", action="store_true", help="Reset levels to default value")


def run(ctx: Context, options: argparse.Namespace) -> int:
    """Set what was asked for, then print all levels."""
    if not options.pod:
        raise Failure("log requires pod name or --selector")
    for query in queries(options.level, reset=options.reset):
        dump.request(ctx, options.pod, f"logging?{query}", "POST")
    ctx.print(dump.request(ctx, options.pod, "logging", "POST").rstrip())
    return 0


def queries(wanted: str, *, reset: bool) -> list[str]:
    """The admin queries that set levels.

    :raises Failure: for a level that Envoy does not know.
    """
    if reset:
        return [f"level={_DEFAULT}"]
    found = []
    for part in filter(None, wanted.split(",")):
        logger, _, level = re.sub("=", ":", part).rpartition(":")
        if level not in _LEVELS:
            raise Failure(
                f"unrecognized logging level: {level}", remedy=f"one of {', '.join(_LEVELS)}"
            )
        found.append(f"{logger or 'level'}={level}")
    return found
