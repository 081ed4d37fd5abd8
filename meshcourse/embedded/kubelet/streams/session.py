"""Running commands in containers (exec) and joining their streams (attach), as `ExecSession`."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pty
import signal

from meshcourse.embedded.kubelet.logs.writer import LogFile
from meshcourse.embedded.kubelet.pods.terminal import Terminal
from meshcourse.embedded.kubelet.processes.client import Forker, Process, Spec
from meshcourse.embedded.kubelet.processes.pipes import Input, Source, set_size


class Execution:
    """A command started by exec."""

    def __init__(
        self,
        process: Process,
        source: Source,
        errors: Source | None,
        feed: Input | None,
        terminal: int,
    ) -> None:
        self._process = process
        self._sources = [source, errors] if errors is not None else [source]
        self._input = feed
        self._terminal = terminal
        self.stdout = source.reader
        self.stderr = errors.reader if errors is not None else None

    async def write(self, data: bytes) -> None:
        """Feed standard input; nothing happens if the command does not read it."""
        if self._input is not None:
            await self._input.write(data)

    async def close_stdin(self) -> None:
        if self._input is None:
            return
        if self._terminal >= 0:
            await self._input.write(b"\x04")  # on a terminal, end of input is a character
        else:
            self._input.close()

    def resize(self, columns: int, rows: int) -> None:
        if self._terminal >= 0:
            set_size(self._terminal, columns, rows)

    async def wait(self) -> int:
        """The exit code, after which the streams end."""
        ended = await self._process.wait()
        return ended.code

    async def kill(self) -> None:
        """End the command, if it runs, and release everything."""
        self._process.signal(signal.SIGTERM, group=True)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._process.wait(), 1)
        self._process.kill()
        await self._process.wait()
        for source in self._sources:
            source.close()
        if self._input is not None:
            self._input.close()
        if self._terminal >= 0:
            os.close(self._terminal)
            self._terminal = -1


async def execute(forker: Forker, spec: Spec, *, stdin: bool) -> Execution:
    """Start a command with pipes, or on its own terminal if `spec.tty`.

    :raises StartError: if there is no such program.
    """
    return await (_on_terminal(forker, spec) if spec.tty else _on_pipes(forker, spec, stdin))


async def _on_terminal(forker: Forker, spec: Spec) -> Execution:
    ours, theirs = pty.openpty()
    set_size(ours, 80, 24)
    try:
        process = await forker.spawn(spec, theirs, theirs, theirs)
    except BaseException:
        os.close(ours)
        raise
    finally:
        os.close(theirs)
    return Execution(process, Source(os.dup(ours)), None, Input(os.dup(ours)), ours)


async def _on_pipes(forker: Forker, spec: Spec, stdin: bool) -> Execution:
    in_read, in_write = os.pipe() if stdin else (None, -1)
    out_read, out_write = os.pipe()
    err_read, err_write = os.pipe()
    theirs = [fd for fd in (in_read, out_write, err_write) if fd is not None]
    try:
        process = await forker.spawn(spec, in_read, out_write, err_write)
    except BaseException:
        for fd in (out_read, err_read, *([in_write] if stdin else [])):
            os.close(fd)
        raise
    finally:
        for fd in theirs:
            os.close(fd)
    feed = Input(in_write) if stdin else None
    return Execution(process, Source(out_read), Source(err_read), feed, -1)


class Attachment:
    """A running container's own streams."""

    def __init__(self, process: Process, log: LogFile, terminal: Terminal) -> None:
        self._process = process
        self._terminal = terminal
        self.stdout = asyncio.StreamReader()
        self.stderr = None if terminal.tty else asyncio.StreamReader()
        self._leave = log.listen(self._take)

    async def write(self, data: bytes) -> None:
        with contextlib.suppress(BrokenPipeError):
            await self._terminal.feed(data)

    async def close_stdin(self) -> None:
        """As the container's ``stdinOnce`` says: close it for good, or leave it for the next."""
        if self._terminal.once:
            self._terminal.close()

    def resize(self, columns: int, rows: int) -> None:
        self._terminal.resize(columns, rows)

    async def wait(self) -> int:
        """The container's exit code."""
        ended = await self._process.wait()
        return ended.code

    async def kill(self) -> None:
        """Leave; the container goes on."""
        self._leave()
        for reader in (self.stdout, self.stderr):
            if reader is not None:
                reader.feed_eof()

    def _take(self, stream: str, data: bytes) -> None:
        reader = self.stderr if stream == "stderr" and self.stderr is not None else self.stdout
        if data:
            reader.feed_data(data)
        else:
            reader.feed_eof()
