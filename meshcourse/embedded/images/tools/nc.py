"""nc: standard input to a TCP port and back, through the pod's proxy (this machine's own nc would go around it).

``nc [-v] [-z] [-w SECONDS] HOST PORT``. At the end of input the connection is half-closed, as busybox has it, but not
before the peer has had a moment to answer: a proxy that CONNECT goes through takes a half-closed client for a gone one.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import threading

from meshcourse.embedded.images import outbound

USAGE = "usage: nc [-v] [-z] [-w SECONDS] HOST PORT"
#: Seconds without another byte after which an answer counts as whole.
QUIET = 0.2
#: Seconds that a first byte may take.
PATIENCE = 3.0


class Hearing:
    """When the peer was last heard."""

    def __init__(self) -> None:
        self._at: float | None = None

    def heard(self) -> None:
        """Bytes have come."""
        self._at = asyncio.get_running_loop().time()

    async def answered(self) -> None:
        """Until an answer came and ended, or none did."""
        loop = asyncio.get_running_loop()
        latest = loop.time() + PATIENCE
        while loop.time() < (latest if self._at is None else self._at + QUIET):
            await asyncio.sleep(QUIET / 4)


def arguments(argv: list[str]) -> tuple[set[str], float | None, str, int]:
    """Flags, timeout in seconds, host and port.

    :raises ValueError: if they make no sense.
    """
    flags: set[str] = set()
    wait: float | None = None
    words = argv[1:]
    while words and words[0].startswith("-") and len(words[0]) > 1:
        letters = words.pop(0)[1:]
        for index, letter in enumerate(letters):
            if letter == "w":
                wait = float(letters[index + 1 :] or words.pop(0))
                break
            if letter not in "vznN46q":
                raise ValueError(f"unknown option -{letter}")
            flags.add(letter)
    host, port = words
    return flags, wait, host, int(port)


async def talk(flags: set[str], wait: float | None, host: str, port: int) -> int:
    """Connect, pass bytes both ways until the peer closes; the exit code."""
    try:
        reader, writer = await asyncio.wait_for(outbound.connect(host, port), wait)
    except (outbound.Unreachable, TimeoutError) as error:
        print(f"nc: connect to {host} port {port} (tcp) failed: {error}", file=sys.stderr)
        return 1
    if "v" in flags:
        print(f"Connection to {host} {port} port [tcp/*] succeeded!", file=sys.stderr)
    if "z" not in flags:
        hearing = Hearing()
        sending = asyncio.create_task(_send(writer, hearing))
        try:
            await _receive(reader, wait, hearing)
        finally:
            sending.cancel()
            with contextlib.suppress(asyncio.CancelledError, ConnectionError):
                await sending
    writer.close()
    return 0


async def _receive(reader: asyncio.StreamReader, wait: float | None, hearing: Hearing) -> None:
    with contextlib.suppress(TimeoutError, ConnectionError):
        while data := await asyncio.wait_for(reader.read(65536), wait):
            hearing.heard()
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()


async def _send(writer: asyncio.StreamWriter, hearing: Hearing) -> None:
    pieces: asyncio.Queue[bytes] = asyncio.Queue()
    loop = asyncio.get_running_loop()

    def read() -> None:
        # In a thread, for a file as standard input cannot be polled; a daemon, for it may never end.
        with contextlib.suppress(RuntimeError, OSError):
            while data := os.read(0, 65536):
                loop.call_soon_threadsafe(pieces.put_nowait, data)
            loop.call_soon_threadsafe(pieces.put_nowait, b"")

    threading.Thread(target=read, daemon=True).start()
    while data := await pieces.get():
        writer.write(data)
        await writer.drain()
    await hearing.answered()
    writer.write_eof()


def main(argv: list[str]) -> int:
    """``nc …``."""
    try:
        flags, wait, host, port = arguments(argv)
    except (ValueError, IndexError):
        print(USAGE, file=sys.stderr)
        return 1
    return asyncio.run(talk(flags, wait, host, port))
