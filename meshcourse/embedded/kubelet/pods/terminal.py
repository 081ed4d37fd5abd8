"""The standard streams of a container: pipes into its log, or a pseudo-terminal; kept for attach."""

from __future__ import annotations

import contextlib
import os
import pty
from collections.abc import Iterator

from meshcourse.embedded.kube.objects import Object
from meshcourse.embedded.kubelet.logs.writer import LogFile
from meshcourse.embedded.kubelet.processes.pipes import Input, set_size


class Terminal:
    """Opens the streams for each start of a container and keeps our end of its standard input."""

    def __init__(self, container: Object) -> None:
        self.tty = bool(container.get("tty"))
        self.once = bool(container.get("stdinOnce"))
        self._stdin = bool(container.get("stdin"))
        self._input: Input | None = None

    @contextlib.contextmanager
    def opened(self, log: LogFile) -> Iterator[tuple[int | None, int, int]]:
        """The child's ends of stdin, stdout and stderr, closed on this side afterwards."""
        ends = self._open_tty(log) if self.tty else self._open_pipes(log)
        try:
            yield ends
        finally:
            for fd in {fd for fd in ends if fd is not None}:
                os.close(fd)

    async def feed(self, data: bytes) -> None:
        """Write to standard input, waiting for the container to read.

        :raises BrokenPipeError: if the container has no standard input (any more).
        """
        if self._input is None:
            raise BrokenPipeError("the container has no standard input")
        await self._input.write(data)

    def resize(self, columns: int, rows: int) -> None:
        if self.tty and self._input is not None:
            set_size(self._input.fd, columns, rows)

    def close(self) -> None:
        """Close standard input: the container reads an end of file."""
        if self._input is not None:
            self._input.close()
            self._input = None

    def _open_pipes(self, log: LogFile) -> tuple[int | None, int, int]:
        stdin: int | None = None
        if self._stdin:
            stdin, ours = os.pipe()
            self._input = Input(ours)
        out_read, out_write = os.pipe()
        err_read, err_write = os.pipe()
        log.pump(out_read, "stdout")
        log.pump(err_read, "stderr")
        return stdin, out_write, err_write

    def _open_tty(self, log: LogFile) -> tuple[int, int, int]:
        ours, theirs = pty.openpty()
        set_size(ours, 80, 24)
        self._input = Input(os.dup(ours))
        log.pump(ours, "stdout")
        return theirs, theirs, theirs
