"""``istioctl manifest generate``: the objects of an installation, without installing them."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

import yaml

from meshcourse.embedded.istioctl.commands import install
from meshcourse.embedded.istioctl.context import Context
from meshcourse.embedded.istioctl.manifests import components, options


def add(commands: Any, parents: Sequence[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "manifest",
        parents=parents,
        help="Commands related to Istio manifests",
        description="What an installation consists of.",
        unknown='unknown subcommand "{}"',
    )
    parser.set_defaults(run=lambda _ctx, _options: _help(parser))
    group = parser.add_subparsers(dest="action", metavar="COMMAND")
    generate = group.add_parser(
        "generate",
        parents=parents,
        help="Generates an Istio install manifest",
        description="Prints as YAML what `istioctl install` with the same flags would apply.",
        epilog="  istioctl manifest generate --set profile=demo > istio.yaml",
    )
    generate.add_argument(
        "--filename", "-f", action="append", default=[], help="IstioOperator file"
    )
    generate.add_argument(
        "--set", "-s", action="append", default=[], dest="settings", help="path=value of a setting"
    )
    generate.add_argument("--revision", "-r", default="", help="Control plane revision")
    generate.set_defaults(run=_generate)


def _help(parser: argparse.ArgumentParser) -> int:
    parser.print_help()
    return 0


def _generate(ctx: Context, arguments: argparse.Namespace) -> int:
    revision = [f"revision={arguments.revision}"] if arguments.revision else []
    documents = [one for path in arguments.filename for one in install.load(path)]
    spec = options.resolve(documents, [*arguments.settings, *revision])
    for part in components.build(spec):
        for obj in part.objects:
            ctx.out.write(f"---\n{yaml.dump(obj, Dumper=yaml.CSafeDumper, sort_keys=False)}")
    return 0
