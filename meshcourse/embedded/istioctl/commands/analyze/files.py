"""The files that are to be analyzed."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from meshcourse.embedded.istioctl.context import Context, Failure

EXTENSIONS: Final = (".json", ".yaml", ".yml")


class File(NamedTuple):
    """A path as it was given (``-`` for standard input), and its text."""

    name: str
    text: str


def gather(ctx: Context, names: Sequence[str], *, quiet: bool) -> list[File]:
    """Files, and the files below directories.

    :param quiet: do not say that standard input is read.
    :raises Failure: for one that cannot be read.
    """
    return [file for name in names for file in _one(ctx, name, quiet=quiet)]


def _one(ctx: Context, name: str, *, quiet: bool) -> Iterator[File]:
    if name == "-":
        if sys.stdin.isatty() and not quiet:
            ctx.print("Reading from stdin:")
        yield File(name, sys.stdin.read())
        return
    path = Path(name)
    if not path.exists():
        raise Failure(f"stat {name}: no such file or directory")
    found = sorted(one for one in path.rglob("*") if one.is_file()) if path.is_dir() else [path]
    for one in found:
        if one.suffix in EXTENSIONS:
            yield File(str(one), read(one))
        else:
            known = " ".join(EXTENSIONS)
            ctx.warn(f"Skipping file {one}, recognized file extensions are: [{known}]")


def read(path: Path) -> str:
    """:raises Failure: if it cannot be read."""
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise Failure(f"open {path}: {error}") from error
