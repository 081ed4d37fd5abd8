"""Reading logs back: tail, since, previous, time stamps, follow."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import BinaryIO

from meshcourse.embedded.apiserver.streams.backend import LogOptions
from meshcourse.embedded.kubelet.logs.writer import LogFile, rotated

_BLOCK = 1 << 16


async def read(path: Path, options: LogOptions, live: LogFile | None) -> AsyncIterator[bytes]:
    """The log in chunks of whole lines.

    :param live: the open log of a running container, needed to follow.
    """
    budget = _Budget(options.limit_bytes)
    queue, size = live.follow() if live is not None and options.follow else (None, None)
    try:
        since = _since(options.since_seconds)
        for block in _recorded(path, options.tail_lines, size):
            text = budget.take(_render(block, since, options.timestamps))
            if text:
                yield text
            if budget.spent:
                return
        if queue is None:
            return
        while (records := await queue.get()) is not None and not budget.spent:
            text = budget.take(_render(records, since, options.timestamps))
            if text:
                yield text
    finally:
        if live is not None and queue is not None:
            live.unfollow(queue)


def tail(path: Path, lines: int, limit: int) -> str:
    """The last lines as text, at most `limit` bytes: what a termination message falls back to."""
    text = b"".join(_render(block, "", False) for block in _recorded(path, lines, None))
    return text[-limit:].decode("utf-8", "replace")


class _Budget:
    """Counts down ``limitBytes``."""

    def __init__(self, limit: int | None) -> None:
        self._left = limit

    @property
    def spent(self) -> bool:
        return self._left is not None and self._left <= 0

    def take(self, data: bytes) -> bytes:
        if self._left is None:
            return data
        data = data[: max(self._left, 0)]
        self._left -= len(data)
        return data


def _since(seconds: int | None) -> str:
    """The first time stamp wanted; time stamps of one format compare as text."""
    if seconds is None:
        return ""
    moment = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=seconds)
    return moment.strftime("%Y-%m-%dT%H:%M:%S")


def _recorded(path: Path, lines: int | None, size: int | None) -> Iterator[bytes]:
    """Blocks of whole records already on disk, the older file first.

    :param size: read only so much of the current file (the rest reaches a follower).
    """
    for part, limit, wanted in _parts(path, lines, size):
        try:
            file = part.open("rb")
        except FileNotFoundError:
            continue
        with file:
            end = limit if limit is not None else file.seek(0, 2)
            start = 0 if wanted is None else _tail_start(file, end, wanted)
            file.seek(start)
            yield from _blocks(file, end - start)


def _parts(
    path: Path, lines: int | None, size: int | None
) -> list[tuple[Path, int | None, int | None]]:
    """Files with the size to read and the lines wanted: the older file has what the newer one lacks."""
    if lines is None:
        return [(rotated(path), None, None), (path, size, None)]
    have = _count(path, lines)
    older = [(rotated(path), None, lines - have)] if have < lines else []
    return [*older, (path, size, lines)]


def _count(path: Path, enough: int) -> int:
    """The number of records, counted no further than `enough`."""
    found = 0
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return 0
    with file:
        while found < enough and (block := file.read(_BLOCK)):
            found += block.count(b"\n")
    return min(found, enough)


def _tail_start(file: BinaryIO, end: int, lines: int) -> int:
    """Where the last `lines` records before `end` begin."""
    if lines <= 0:
        return end
    position, missing = end, lines + 1  # the last record ends in a newline itself
    while position > 0:
        step = min(_BLOCK, position)
        position -= step
        file.seek(position)
        block = file.read(step)
        newlines = block.count(b"\n")
        if newlines >= missing:
            for _ in range(missing):
                step = block.rfind(b"\n", 0, step)
            return int(position + step + 1)
        missing -= newlines
    return 0


def _blocks(file: BinaryIO, count: int) -> Iterator[bytes]:
    rest = b""
    while count > 0 and (block := file.read(min(_BLOCK, count))):
        count -= len(block)
        whole, newline, rest = (rest + block).rpartition(b"\n")
        if newline:
            yield whole + newline


def _render(records: bytes, since: str, timestamps: bool) -> bytes:
    """What the client sees of some records."""
    first = since.encode()
    out = []
    for record in records[:-1].split(b"\n"):
        stamp, _stream, tag, text = record.split(b" ", 3)
        if stamp < first:
            continue
        text = text + b"\n" if tag == b"F" else text
        out.append(stamp + b" " + text if timestamps else text)
    return b"".join(out)
