"""Our ends of a process's streams: asynchronous reading and writing of plain descriptors."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import struct
import termios

_CHUNK = 1 << 16
#: Output that may lie unread before we stop taking more from the process.
_HIGH_WATER = 1 << 20


def set_size(fd: int, columns: int, rows: int) -> None:
    """Tell a terminal its size; the kernel tells its processes (SIGWINCH)."""
    with contextlib.suppress(OSError):
        fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


class Source:
    """Copies a descriptor into a StreamReader, no faster than it is read."""

    def __init__(self, fd: int) -> None:
        self.reader = asyncio.StreamReader(limit=_HIGH_WATER)
        self._fd = fd
        self._loop = asyncio.get_running_loop()
        os.set_blocking(fd, False)
        self.reader.set_transport(_Throttle(self))  # type: ignore[arg-type]
        self.resume()

    def resume(self) -> None:
        if self._fd >= 0:
            self._loop.add_reader(self._fd, self._read)

    def pause(self) -> None:
        if self._fd >= 0:
            self._loop.remove_reader(self._fd)

    def close(self) -> None:
        if self._fd >= 0:
            self._loop.remove_reader(self._fd)
            os.close(self._fd)
            self._fd = -1
            self.reader.feed_eof()

    def _read(self) -> None:
        try:
            data = os.read(self._fd, _CHUNK)
        except BlockingIOError:
            return
        except OSError:  # EIO: the last process on a terminal has gone
            data = b""
        if data:
            self.reader.feed_data(data)
        else:
            self.close()


class _Throttle:
    """What a StreamReader needs of a transport to stop and go."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def pause_reading(self) -> None:
        self._source.pause()

    def resume_reading(self) -> None:
        self._source.resume()


class Input:
    """Our end of a standard input; writes wait for the reader."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        os.set_blocking(fd, False)

    async def write(self, data: bytes) -> None:
        while data and self.fd >= 0:
            try:
                data = data[os.write(self.fd, data) :]
            except BlockingIOError:
                await self._writable()
            except OSError:  # the process does not read any more
                return

    def close(self) -> None:
        if self.fd >= 0:
            asyncio.get_running_loop().remove_writer(self.fd)
            os.close(self.fd)
            self.fd = -1

    async def _writable(self) -> None:
        loop = asyncio.get_running_loop()
        ready = asyncio.Event()
        fd = self.fd
        loop.add_writer(fd, ready.set)
        try:
            await ready.wait()
        finally:
            loop.remove_writer(fd)
