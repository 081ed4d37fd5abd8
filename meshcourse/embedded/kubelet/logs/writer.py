"""From a container's output to a log file: one record a line, ``TIME STREAM F|P TEXT``.

Format: Kubernetes' CRI logging format (RFC 3339 with nanoseconds, stream, F for a whole line and P for a part of a long
one). Files are rotated at 10 MiB; one older file is kept beside the current one. Runs on the event loop.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from pathlib import Path

MAX_BYTES = 10 * 1024 * 1024
_CHUNK = 1 << 16
#: A line longer than this is cut into records.
_MAX_LINE = 16 * 1024
#: Records that a follower may lag behind before it is cut off.
_MAX_LAG = 20_000

#: Gets raw output, as attach wants it: stream name and bytes (b"" at its end).
Listener = Callable[[str, bytes], None]


class LogFile:
    """The log of one run of one container."""

    def __init__(self, path: Path, max_bytes: int = MAX_BYTES) -> None:
        self.path = path
        self._max_bytes = max_bytes
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._fd = _open(path)
        self._size = os.fstat(self._fd).st_size
        self._partial: dict[str, bytes] = {}
        self._followers: set[asyncio.Queue[bytes | None]] = set()
        self._listeners: set[Listener] = set()
        self._pumps: dict[int, str] = {}
        self._drained = asyncio.Event()
        self._drained.set()
        self.closed = False

    def pump(self, fd: int, stream: str) -> None:
        """Copy everything from `fd` (which is closed at its end) until it ends."""
        os.set_blocking(fd, False)
        self._pumps[fd] = stream
        self._drained.clear()
        asyncio.get_running_loop().add_reader(fd, self._read, fd)

    async def drain(self, timeout: float) -> None:
        """Wait until all output has arrived; give up on what is still open after `timeout` seconds."""
        try:
            await asyncio.wait_for(self._drained.wait(), timeout)
        except TimeoutError:
            for fd in list(self._pumps):
                self._end(fd)

    def close(self) -> None:
        """Write what is left and tell the followers that this was all."""
        if self.closed:
            return
        self.closed = True
        for fd in list(self._pumps):
            self._end(fd)
        os.close(self._fd)
        for queue in self._followers:
            queue.put_nowait(None)

    def append(self, stream: str, data: bytes) -> None:
        """Add output; an unfinished line waits for its end."""
        for listener in list(self._listeners):
            listener(stream, data)
        *lines, rest = (self._partial.pop(stream, b"") + data).split(b"\n")
        records = [self._record(stream, b"F", line) for line in lines]
        while len(rest) >= _MAX_LINE:
            records.append(self._record(stream, b"P", rest[:_MAX_LINE]))
            rest = rest[_MAX_LINE:]
        if rest:
            self._partial[stream] = rest
        if records:
            self._write(b"".join(records))

    def follow(self) -> tuple[asyncio.Queue[bytes | None], int]:
        """A queue of all records from now on (None at the end) and the file's size before them."""
        queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._followers.add(queue)
        return queue, self._size

    def unfollow(self, queue: asyncio.Queue[bytes | None]) -> None:
        self._followers.discard(queue)

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Call `listener` with raw output as it comes; returns what ends that."""
        self._listeners.add(listener)
        return lambda: self._listeners.discard(listener)

    def _read(self, fd: int) -> None:
        try:
            data = os.read(fd, _CHUNK)
        except BlockingIOError:
            return
        except OSError:  # EIO: the other side of a terminal is gone
            data = b""
        if data:
            self.append(self._pumps[fd], data)
        else:
            self._end(fd)

    def _end(self, fd: int) -> None:
        stream = self._pumps.pop(fd)
        asyncio.get_running_loop().remove_reader(fd)
        os.close(fd)
        rest = self._partial.pop(stream, b"")
        if rest:
            self._write(self._record(stream, b"F", rest))
        for listener in list(self._listeners):
            listener(stream, b"")
        if not self._pumps:
            self._drained.set()

    def _write(self, records: bytes) -> None:
        if self._size and self._size + len(records) > self._max_bytes:
            self._rotate()
        os.write(self._fd, records)
        self._size += len(records)
        for queue in list(self._followers):
            if queue.qsize() > _MAX_LAG:
                self._followers.discard(queue)
                queue.put_nowait(None)
            else:
                queue.put_nowait(records)

    def _rotate(self) -> None:
        os.close(self._fd)
        self.path.replace(rotated(self.path))
        self._fd = _open(self.path)
        self._size = 0

    @staticmethod
    def _record(stream: str, tag: bytes, line: bytes) -> bytes:
        return b"%s %s %s %s\n" % (_stamp(), stream.encode(), tag, line)


def rotated(path: Path) -> Path:
    """Where the older half of a log lies."""
    return path.with_name(path.name + ".1")


def _open(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)


def _stamp() -> bytes:
    seconds, nanos = divmod(time.time_ns(), 1_000_000_000)
    return time.strftime(f"%Y-%m-%dT%H:%M:%S.{nanos:09d}Z", time.gmtime(seconds)).encode()
