"""The command line: ``istioctl COMMAND …``."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence

from meshcourse.embedded.istioctl import context
from meshcourse.embedded.istioctl.context import Failure
from meshcourse.embedded.istioctl.parsing import Parser
from meshcourse.errors import MeshcourseError

_COMMANDS = (
    "analyze",
    "bug_report",
    "dashboard",
    "experimental",
    "install",
    "kube_inject",
    "proxy_config",
    "proxy_status",
    "tag",
    "uninstall",
    "validate",
    "version",
)


def main(argv: Sequence[str]) -> int:
    """Run one command; the exit code.

    :param argv: the arguments without the program's name.
    """
    parser = _parser()
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
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="istioctl",
        description="Looks into the mesh of the embedded cluster, installs it and finds faults in it.",
    )
    context.add_options(parser)
    common = argparse.ArgumentParser(add_help=False)
    context.add_options(common, again=True)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    for name in _COMMANDS:
        module = importlib.import_module(f"meshcourse.embedded.istioctl.commands.{name}")
        module.add(commands, [common])
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
