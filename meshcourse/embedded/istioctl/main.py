"""The command line: ``istioctl COMMAND …``."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from meshcourse.embedded.istioctl import context
from meshcourse.embedded.istioctl.context import Failure
from meshcourse.embedded.istioctl.parsing import Parser
from meshcourse.errors import MeshcourseError

#: Each command's module and the names that it answers to; only the module that is asked for is imported.
COMMANDS: Final[Mapping[str, tuple[str, ...]]] = {
    "analyze": ("analyze",),
    "bug_report": ("bug-report",),
    "dashboard": ("dashboard", "dash", "d"),
    "experimental": ("experimental", "x", "exp"),
    "install": ("install", "apply"),
    "kube_inject": ("kube-inject",),
    "manifest": ("manifest",),
    "proxy_config": ("proxy-config", "pc"),
    "proxy_status": ("proxy-status", "ps"),
    "tag": ("tag",),
    "uninstall": ("uninstall",),
    "validate": ("validate", "v"),
    "version": ("version",),
}


def main(argv: Sequence[str]) -> int:
    """Run one command; the exit code.

    :param argv: the arguments without the program's name.
    """
    parser = build(_wanted(argv))
    try:
        options = parser.parse_args(list(argv))
        if not getattr(options, "run", None):
            parser.print_help()
            return 0
        return int(options.run(context.of(options), options))
    except SystemExit as stop:  # after --help
        return int(stop.code or 0)
    except MeshcourseError as error:
        sys.stderr.write(f"Error: {error.message}\n")
        if error.remedy:
            sys.stderr.write(f"  → {error.remedy}\n")
        return error.code if isinstance(error, Failure) else 1
    except BrokenPipeError:  # whoever reads has enough (``| head``)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 130


def build(modules: Iterable[str] = COMMANDS) -> argparse.ArgumentParser:
    """The parser with the commands of these modules."""
    parser = Parser(
        prog="istioctl",
        description="Looks into the mesh of the embedded cluster, installs it and finds faults in it.",
    )
    context.add_options(parser)
    common = argparse.ArgumentParser(add_help=False)
    context.add_options(common, again=True)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    for name in modules:
        module = importlib.import_module(f"meshcourse.embedded.istioctl.commands.{name}")
        module.add(commands, [common])
    return parser


def _wanted(argv: Sequence[str]) -> Iterable[str]:
    """The module of the command; all if it is not clear, for help and for errors."""
    words = iter(argv)
    for word in words:
        if not word.startswith("-"):
            return [module for module, names in COMMANDS.items() if word in names] or COMMANDS
        if word in context.VALUED:
            next(words, None)
    return COMMANDS


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
