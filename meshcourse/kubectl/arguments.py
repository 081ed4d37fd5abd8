"""Reading kubectl's command lines: flags anywhere, ``-owide``, ``-o=wide``, ``-o wide``, ``--`` before a command."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from meshcourse.kubectl.errors import KubectlError

Kind = Literal["switch", "value", "list"]


@dataclass(frozen=True, slots=True)
class Flag:
    """One flag: its long name, one-letter name, and what it takes.

    :param bare: the value of a flag that may stand without one (``--dry-run``).
    """

    name: str
    short: str = ""
    kind: Kind = "value"
    bare: str = ""


@dataclass
class Parsed:
    """A command line: words, flags, and what follows ``--``."""

    words: list[str] = field(default_factory=list)
    flags: dict[str, list[str]] = field(default_factory=dict)
    command: list[str] = field(default_factory=list)

    def on(self, name: str, default: bool = False) -> bool:
        """Is a switch on?"""
        values = self.flags.get(name)
        return default if not values else values[-1] != "false"

    def text(self, name: str, default: str = "") -> str:
        values = self.flags.get(name)
        return values[-1] if values else default

    def many(self, name: str) -> list[str]:
        return self.flags.get(name, [])

    def given(self, name: str) -> bool:
        return name in self.flags


GLOBAL = (
    Flag("namespace", "n"),
    Flag("context"),
    Flag("kubeconfig"),
    Flag("request-timeout"),
    Flag("all-namespaces", "A", "switch"),
    Flag("selector", "l"),
    Flag("field-selector"),
    Flag("output", "o"),
    Flag("filename", "f", "list"),
    Flag("recursive", "R", "switch"),
    Flag("dry-run", kind="value", bare="unchanged"),
    Flag("field-manager"),
    Flag("validate", kind="value", bare="true"),
)


def parse(args: Sequence[str], flags: Iterable[Flag] = ()) -> Parsed:
    """Take a command line apart; a verb's own flags win over the global ones.

    :raises KubectlError: for a flag that is unknown or lacks its value, in kubectl's words.
    """
    known = {flag.name: flag for flag in (*GLOBAL, *flags)}
    shorts = {flag.short: flag for flag in known.values() if flag.short}
    parsed, rest = Parsed(), list(args)
    while rest:
        word = rest.pop(0)
        if word == "--":
            parsed.command = rest
            break
        if word.startswith("--"):
            name, equals, value = word[2:].partition("=")
            if name not in known:
                raise KubectlError(f"unknown flag: --{name}")
            _take(parsed, known[name], value if equals else None, rest, f"--{name}")
        elif word.startswith("-") and word != "-":
            _shorts(parsed, word[1:], shorts, rest)
        else:
            parsed.words.append(word)
    return parsed


def _shorts(parsed: Parsed, letters: str, shorts: dict[str, Flag], rest: list[str]) -> None:
    """``-it``, ``-owide``, ``-n=x``: switches may be joined; the first that takes a value takes the rest."""
    while letters:
        letter, letters = letters[0], letters[1:]
        flag = shorts.get(letter)
        if flag is None:
            raise KubectlError(f"unknown shorthand flag: '{letter}' in -{letter}{letters}")
        if flag.kind == "switch":
            _take(parsed, flag, None, rest, f"-{letter}")
            continue
        _take(parsed, flag, letters.removeprefix("=") if letters else None, rest, f"-{letter}")
        return


def _take(parsed: Parsed, flag: Flag, value: str | None, rest: list[str], said: str) -> None:
    if value is None and flag.kind == "switch":
        value = "true"
    if value is None and flag.bare:
        value = flag.bare
    if value is None:
        if not rest:
            raise KubectlError(f"flag needs an argument: {said}")
        value = rest.pop(0)
    parsed.flags.setdefault(flag.name, []).append(value)
