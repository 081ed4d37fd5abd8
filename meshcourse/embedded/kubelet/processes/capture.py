"""Run a command to its end and collect what it printed: exec probes and lifecycle hooks."""

from __future__ import annotations

import asyncio
import os

from meshcourse.embedded.kubelet.processes.client import Forker, Spec


async def capture(forker: Forker, spec: Spec, timeout: float, limit: int) -> tuple[int, str]:
    """Exit code and output (both streams, at most `limit` bytes).

    :raises StartError: if the command cannot be started.
    :raises TimeoutError: after `timeout` seconds; the command is killed.
    """
    read, write = os.pipe()
    output = _Collector(read, limit)
    try:
        process = await forker.spawn(spec, None, write, write)
    except BaseException:
        output.close()
        raise
    finally:
        os.close(write)
    try:
        async with asyncio.timeout(timeout):
            ended = await process.wait()
            await output.ended.wait()
    finally:
        process.kill()
        output.close()
    return ended.code, output.text


class _Collector:
    def __init__(self, fd: int, limit: int) -> None:
        self._fd, self._limit = fd, limit
        self._data = bytearray()
        self.ended = asyncio.Event()
        os.set_blocking(fd, False)
        asyncio.get_running_loop().add_reader(fd, self._read)

    @property
    def text(self) -> str:
        return self._data.decode("utf-8", "replace")

    def close(self) -> None:
        if self._fd >= 0:
            asyncio.get_running_loop().remove_reader(self._fd)
            os.close(self._fd)
            self._fd = -1

    def _read(self) -> None:
        data = os.read(self._fd, 65536)
        if not data:
            self.close()
            self.ended.set()
        elif len(self._data) < self._limit:
            self._data += data[: self._limit - len(self._data)]
