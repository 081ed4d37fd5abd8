"""Arguments as real istioctl takes them: its errors, its exit codes, its layout of help.

Source: the behaviour of Cobra (errors of unknown commands and flags, sections of help) and istioctl's exit
codes: 64 for wrong usage.
"""

from __future__ import annotations

import argparse
import difflib
import enum
import re
from collections.abc import Iterator
from typing import Any, Final, NoReturn

from meshcourse.embedded.istioctl.context import Failure

#: A command line that cannot be understood (sysexits' EX_USAGE).
USAGE: Final = 64
_CHOICE: Final = re.compile(r"argument \S+: invalid choice: '(.*?)' ")
_NEEDS: Final = re.compile(r"argument (\S+): expected (?:one|at least one) argument")
_NUMBER: Final = re.compile(r"argument (\S+): invalid int value: '(.*)'")
_REQUIRED: Final = re.compile(r"the following arguments are required: (.*)")
_FALSE: Final = ("false", "False", "FALSE", "f", "F", "0")
_TRUE: Final = ("true", "True", "TRUE", "t", "T", "1")
_SIMILAR: Final = 0.7


class Parser(argparse.ArgumentParser):
    """A parser of one command.

    :param unknown: how a subcommand that does not exist is refused; with one ``{}`` for its name.
    """

    def __init__(self, *words: Any, unknown: str = "", **settings: Any) -> None:
        settings.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        settings.setdefault("allow_abbrev", False)
        settings["add_help"] = False  # ours is worded as Cobra's
        super().__init__(*words, **settings)
        self.unknown = unknown
        name = self.prog.rpartition(" ")[2]
        self.add_argument("--help", "-h", action="help", help=f"help for {name}")

    def error(self, message: str) -> NoReturn:
        """Refuse, in Cobra's words.

        :raises Failure: always.
        """
        own = bool(self.unknown) and _CHOICE.match(message) is not None
        raise Failure(self._said(message), code=1 if own else USAGE)

    def _said(self, message: str) -> str:
        if found := _CHOICE.match(message):
            return self._no_command(found[1])
        if message.startswith("unrecognized arguments: "):
            return self._unrecognized(message.split()[2])
        if found := _NEEDS.match(message):
            return f"flag needs an argument: {_long(found[1])}"
        if found := _NUMBER.match(message):
            why = f'strconv.ParseInt: parsing "{found[2]}": invalid syntax'
            return f'invalid argument "{found[2]}" for "{_both(found[1])}" flag: {why}'
        if found := _REQUIRED.match(message):
            names = '", "'.join(_long(one).lstrip("-") for one in found[1].split(", "))
            return f'required flag(s) "{names}" not set'
        return message

    def _unrecognized(self, word: str) -> str:
        if word.startswith("--"):
            return f"unknown flag: {word.partition('=')[0]}"
        if word.startswith("-"):
            return f"unknown shorthand flag: {word[1:2]!r} in {word}"
        return f'unknown command "{word}" for "{self.prog}"'

    def _no_command(self, name: str) -> str:
        if self.unknown:
            return self.unknown.format(name)
        near = difflib.get_close_matches(name, [one for one, _ in _commands(self)], 3, _SIMILAR)
        lines = "".join(f"\t{one}\n" for one in near)
        hint = f"\n\nDid you mean this?\n{lines}" if near else ""
        return f'unknown command "{name}" for "{self.prog}"{hint}\nRun \'{self.prog} --help\' for usage.'

    def format_help(self) -> str:
        """Cobra's layout: what it does, usage, aliases, examples, commands, flags."""
        commands = list(_commands(self))
        parts = [(self.description or "").strip(), f"Usage:\n{self._usage(bool(commands))}"]
        if self.epilog:
            parts.append(f"Examples:\n{self.epilog.strip(chr(10))}")
        if commands:
            parts.append(f"Available Commands:\n{_columns(commands)}")
        own, everywhere = self._flags(globals_=False), self._flags(globals_=True)
        parts += [f"Flags:\n{_columns(own)}"] if own else []
        parts += [f"Global Flags:\n{_columns(everywhere)}"] if everywhere else []
        if commands:
            parts.append(
                f'Use "{self.prog} [command] --help" for more information about a command.'
            )
        return "\n\n".join(filter(None, parts)) + "\n"

    def _usage(self, commands: bool) -> str:
        words = [
            one.help or one.dest
            for one in self._actions
            if not one.option_strings and not isinstance(one, argparse._SubParsersAction)
        ]
        return "  " + " ".join([self.prog, *words, "[command]" if commands else "[flags]"])

    def _flags(self, *, globals_: bool) -> list[tuple[str, str]]:
        found: list[tuple[str, str]] = []
        for group in self._action_groups:
            if (group.title == "global flags") == globals_:
                found += [
                    _flag(one) for one in group._group_actions if one.option_strings and _shown(one)
                ]
        return sorted(found, key=lambda pair: pair[0].lstrip(" -,").lower())


def flag(parser: argparse._ActionsContainer, *names: str, default: bool = False, help: str) -> None:
    """A boolean flag that takes a value only by ``=``, as Go's do (``--browser=false``)."""
    longest = max(names, key=len)
    dest = longest.lstrip("-").replace("-", "_")
    parser.add_argument(
        *names, dest=dest, action="store_const", const=True, default=default, help=help
    )
    for words, value in ((_TRUE, True), (_FALSE, False)):
        parser.add_argument(
            *(f"{name}={word}" for name in names for word in words),
            dest=dest,
            action="store_const",
            const=value,
            default=default,
            help=argparse.SUPPRESS,
        )


def _shown(action: argparse.Action) -> bool:
    return action.help != argparse.SUPPRESS


def _commands(parser: argparse.ArgumentParser) -> Iterator[tuple[str, str]]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for one in action._choices_actions:
                yield one.dest, one.help or ""


def _flag(action: argparse.Action) -> tuple[str, str]:
    short = next((one for one in action.option_strings if not one.startswith("--")), "")
    long = next((one for one in action.option_strings if one.startswith("--")), "")
    value = "" if action.nargs == 0 else " int" if action.type is int else " string"
    names = f"{short + ',' if short else '   '} {long}{value}" if long else f"{short}{value}"
    empty = (None, "", False, argparse.SUPPRESS)
    shown = isinstance(action.default, enum.Enum) or (
        action.default and action.default not in empty
    )
    default = f" (default {_go(action.default)})" if shown else ""
    return names, f"{action.help or ''}{default}"


def _go(value: Any) -> str:
    if isinstance(value, enum.Enum):
        return value.name.capitalize()
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else str(value)


def _columns(rows: list[tuple[str, str]]) -> str:
    width = max(len(first) for first, _ in rows)
    return "\n".join(f"  {first.ljust(width)}   {second}".rstrip() for first, second in rows)


def _long(names: str) -> str:
    """The long one of ``--port/-p``."""
    return max(names.split("/"), key=len)


def _both(names: str) -> str:
    """``-p, --port``."""
    return ", ".join(sorted(names.split("/"), key=len))
