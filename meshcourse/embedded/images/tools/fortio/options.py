"""fortio's command line: Go flags, with one dash or two, ``-name value`` or ``-name=value``."""

from __future__ import annotations

import re
from dataclasses import dataclass, field


class UsageError(Exception):
    """Options that make no sense."""


@dataclass
class Options:
    """What a command line asks for; times in seconds."""

    url: str = ""
    connections: int = 4
    qps: float = 8.0
    duration: float = 5.0
    calls: int = 0
    timeout: float = 3.0
    headers: list[str] = field(default_factory=list)
    payload: str = ""
    user: str = ""
    percentiles: list[float] = field(default_factory=lambda: [50, 75, 90, 99, 99.9])
    level: str = "Info"
    quiet: bool = False
    keep_alive: bool = True
    allow_initial_errors: bool = False
    http_port: int = 8080

    @property
    def warns(self) -> bool:
        """Whether each failed call gets a line."""
        return self.level.lower() not in ("error", "err", "critical", "fatal")


VALUES = {
    "c": ("connections", int),
    "qps": ("qps", float),
    "n": ("calls", int),
    "payload": ("payload", str),
    "user": ("user", str),
    "loglevel": ("level", str),
    "http-port": ("http_port", int),
}
DURATIONS = {"t": "duration", "timeout": "timeout"}
FLAGS = {
    "quiet": "quiet",
    "keepalive": "keep_alive",
    "allow-initial-errors": "allow_initial_errors",
}
#: Accepted without effect: what they change is not visible in this subset.
IGNORED_FLAGS = {
    "stdclient",
    "jitter",
    "uniform",
    "nocatchup",
    "log-errors",
    "logger-force-color",
    "sequential-warmup",
}
IGNORED_VALUES = {"config-dir", "r", "gomaxprocs", "labels", "grpc-port", "redirect-port"}


def seconds(text: str) -> float:
    """Go's durations: ``10s``, ``1m30s``, ``500ms``; 0 means without end.

    :raises UsageError: if it is none.
    """
    if text in ("0", "-1"):
        return 0.0
    parts = re.findall(r"([0-9.]+)(ms|s|m|h)", text)
    if not parts or "".join(count + unit for count, unit in parts) != text:
        raise UsageError(f'invalid value "{text}" for a duration: parse error')
    return sum(
        float(count) * {"ms": 0.001, "s": 1, "m": 60, "h": 3600}[unit] for count, unit in parts
    )


def parse(words: list[str]) -> Options:
    """The options of a sub-command.

    :raises UsageError: for an option that is unknown or has no proper value.
    """
    options, words = Options(), list(words)
    while words:
        word = words.pop(0)
        if not word.startswith("-"):
            options.url = word if "://" in word else f"http://{word}"
            continue
        name, equals, value = word.lstrip("-").partition("=")
        if name in FLAGS or name in IGNORED_FLAGS:
            _set_flag(options, name, value.lower() not in ("false", "0") if equals else True)
            continue
        if not equals and not words:
            raise UsageError(f"flag needs an argument: -{name}")
        _set(options, name, value if equals else words.pop(0))
    return options


def _set_flag(options: Options, name: str, value: bool) -> None:
    if name in FLAGS:
        setattr(options, FLAGS[name], value)


def _set(options: Options, name: str, value: str) -> None:
    try:
        if name == "H":
            options.headers.append(value)
        elif name == "p":
            options.percentiles = [float(part) for part in value.split(",")]
        elif name in DURATIONS:
            setattr(options, DURATIONS[name], seconds(value))
        elif name in VALUES:
            field_name, kind = VALUES[name]
            setattr(options, field_name, kind(value))
        elif name not in IGNORED_VALUES:
            raise UsageError(f"flag provided but not defined: -{name}")
    except ValueError as error:
        raise UsageError(f'invalid value "{value}" for flag -{name}: parse error') from error
