"""Messages as text, JSON or YAML."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from typing import Final

import yaml

from meshcourse.embedded.istioctl.analyze.messages import Level, Message
from meshcourse.embedded.istioctl.context import Failure
from meshcourse.embedded.istioctl.parsing import USAGE

FORMATS: Final = ("log", "json", "yaml")
_COLOURS: Final = {Level.ERROR: "\x1b[1;31m", Level.WARNING: "\x1b[33m", Level.INFO: ""}
_PLAIN: Final = "\x1b[0m"


def add_options(parser: argparse.ArgumentParser) -> None:
    """``-o`` and ``--output-threshold``."""
    parser.add_argument("--output", "-o", default="log", type=str.lower, help="log, json or yaml")
    parser.add_argument(
        "--output-threshold",
        type=threshold("--output-threshold"),
        default=Level.INFO,
        help="The level from which on messages are shown",
    )


def check(output: str, command: str) -> None:
    """:raises Failure: for a format that does not exist."""
    if output not in FORMATS:
        raise Failure(
            f"{output} not a valid option for format. See istioctl {command} --help", code=USAGE
        )


def threshold(name: str) -> Callable[[str], Level]:
    """A reader of levels.

    :param name: the flag that it is for.
    """

    def read(text: str) -> Level:
        if text.upper() not in Level.__members__:
            why = "invalid level option"
            raise Failure(f'invalid argument "{text}" for "{name}" flag: {why}', code=USAGE)
        return Level[text.upper()]

    return read


def render(messages: Sequence[Message], output: str, *, colour: bool) -> str:
    """All messages, without a final line break."""
    if output == "json":
        return json.dumps([one.record() for one in messages], indent="\t", ensure_ascii=False)
    if output == "yaml":
        return yaml.safe_dump([one.record() for one in messages], sort_keys=True)
    return "\n".join(_line(one, colour=colour) for one in messages)


def _line(message: Message, *, colour: bool) -> str:
    text = message.render()
    if not colour:
        return text
    level, rest = text.split(" ", 1)
    return f"{_COLOURS[message.type.level]}{level}{_PLAIN} {rest}"
