"""The text exposition format. Source: prometheus.io "Exposition formats" (text, version 0.0.4)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from meshcourse.embedded.addons.prometheus.tsdb import METRIC_NAME

_LABEL = re.compile(r'\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*=\s*"((?:[^"\\]|\\.)*)"\s*(?:,|$)')
_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_ESCAPES = {"\\\\": "\\", '\\"': '"', "\\n": "\n"}


class FormatError(ValueError):
    """A scrape that is not in the text format."""


def lines(text: str) -> Iterator[tuple[str, float]]:
    """``(series as written, value)`` for every sample; comments and time stamps are left out.

    :raises FormatError: for a line that is no sample.
    """
    for line in text.split("\n"):
        if not line or line[0] == "#":
            continue
        end = line.rfind("}") + 1
        series, rest = (line[:end], line[end:].split()) if end else (None, line.split())
        if series is None:
            series, rest = rest[0], rest[1:]
        try:
            yield series, float(rest[0])
        except (IndexError, ValueError) as error:
            raise FormatError(f"expected a value after the metric: {line[:200]!r}") from error


def labels(series: str) -> dict[str, str]:
    """The labels of a series as written, the metric name among them.

    :raises FormatError: if name or labels are malformed.
    """
    name, brace, inner = series.partition("{")
    if not _NAME.fullmatch(name):
        raise FormatError(f"invalid metric name: {name[:200]!r}")
    found = {METRIC_NAME: name}
    inner = inner[:-1] if brace else ""
    position = 0
    while position < len(inner):
        match = _LABEL.match(inner, position)
        if match is None:
            raise FormatError(f"invalid labels: {series[:200]!r}")
        found[match[1]] = _unescaped(match[2])
        position = match.end()
    return found


def _unescaped(value: str) -> str:
    if "\\" not in value:
        return value
    return re.sub(r"\\[\\\"n]", lambda match: _ESCAPES[match[0]], value)


def metadata(text: str) -> Iterator[tuple[str, str, str]]:
    """``(metric, "TYPE" | "HELP", text)`` from the comments."""
    for line in text.split("\n"):
        if line.startswith("# "):
            parts = line.split(" ", 3)
            if len(parts) == 4 and parts[1] in ("TYPE", "HELP"):
                yield parts[2], parts[1], parts[3]
