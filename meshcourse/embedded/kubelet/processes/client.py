"""The daemon's side of the fork server: spawn, signal, wait, as coroutines.

One server per client. If it dies its processes die with it (they are reported as killed) and the next spawn starts a
new one.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from meshcourse.embedded.kubelet.processes import title, wire
from meshcourse.errors import MeshcourseError

log = logging.getLogger(__name__)

_SERVER = "meshcourse.embedded.kubelet.processes.server"


class StartError(MeshcourseError):
    """A process that could not be started; the message is what a container runtime would say."""


class Exit(NamedTuple):
    """How a process ended: exit code (128 + signal when killed) and signal number (0 if none)."""

    code: int
    signal: int


@dataclass(frozen=True, slots=True)
class Spec:
    """What to start.

    :param argv: for a Python entry argv[0] is the image; otherwise the program and its arguments.
    :param title: the command line shown for Python entries; contains the cluster's name.
    :param short: the command's name in ``ps -e`` (15 bytes).
    :param entry: ``module:function``, or "" to execute `argv`.
    :param tty: the descriptors are a terminal that becomes the controlling one.
    """

    argv: Sequence[str]
    env: Mapping[str, str]
    cwd: Path
    title: str
    short: str = ""
    entry: str = ""
    tty: bool = False


@dataclass(eq=False, slots=True)
class Process:
    """A running (or ended) child of the fork server, leader of its own process group and session."""

    pid: int
    _forker: Forker
    exited: asyncio.Future[Exit] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )

    @property
    def running(self) -> bool:
        return not self.exited.done()

    async def wait(self) -> Exit:
        """How it ended. Cancelling the wait does nothing to the process."""
        return await asyncio.shield(self.exited)

    def signal(self, number: int, *, group: bool = False) -> None:
        """Send a signal to the process or to its whole group; nothing happens once it has ended."""
        if self.running:
            self._forker.signal(self.pid, number, group=group)

    def kill(self) -> None:
        """SIGKILL the whole group."""
        self.signal(signal.SIGKILL, group=True)


class Forker:
    """Starts the fork server on first use and talks to it.

    :param cluster: shown in every command line.
    :param preload: modules to import in the server when it has nothing else to do.
    :param log_path: where the server's own messages (failed imports) go.
    """

    def __init__(self, cluster: str, preload: Sequence[str], log_path: Path) -> None:
        self._cluster = cluster
        self._preload = list(preload)
        self._log_path = log_path
        self._popen: subprocess.Popen[bytes] | None = None
        self._sock: socket.socket | None = None
        self._decoder = wire.Decoder()
        self._outbox: deque[tuple[bytes, list[int]]] = deque()
        self._next_id = 0
        self._starting: dict[int, asyncio.Future[Process]] = {}
        self._processes: dict[int, Process] = {}

    @property
    def server_pid(self) -> int | None:
        return self._popen.pid if self._popen is not None else None

    def start(self) -> None:
        """Start the server if it is not running; it warms up in the background."""
        if self._sock is not None:
            return
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        with theirs, self._log_path.open("ab") as output:
            fd = theirs.fileno()
            self._popen = subprocess.Popen(
                [
                    *(sys.executable, "-m", _SERVER, self._cluster, str(fd)),
                    *(",".join(self._preload), title.PADDING),
                ],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=[fd],
                start_new_session=True,
            )
        self._sock = ours
        asyncio.get_running_loop().add_reader(ours, self._readable)

    async def spawn(self, spec: Spec, stdin: int | None, stdout: int, stderr: int) -> Process:
        """Start a process with these descriptors, which stay the caller's to close.

        :param stdin: None for no input.

        :raises StartError: if there is no such program or its module cannot be imported.
        """
        self.start()
        self._next_id += 1
        future: asyncio.Future[Process] = asyncio.get_running_loop().create_future()
        self._starting[self._next_id] = future
        request = {
            "op": "spawn",
            "id": self._next_id,
            "fds": 3,
            "argv": list(spec.argv),
            "env": dict(spec.env),
            "cwd": str(spec.cwd),
            "title": spec.title,
            "short": spec.short,
            "entry": spec.entry,
            "tty": spec.tty,
        }
        # The request may wait in the outbox after the caller has closed its own descriptors.
        own = os.open(os.devnull, os.O_RDONLY) if stdin is None else os.dup(stdin)
        self._post(request, [own, os.dup(stdout), os.dup(stderr)])
        return await future

    def signal(self, pid: int, number: int, *, group: bool) -> None:
        if self._sock is not None:
            self._post({"op": "signal", "pid": pid, "signal": int(number), "group": group}, [])

    async def close(self) -> None:
        """End the server, and with it whatever still runs."""
        popen, self._popen = self._popen, None
        self._lost()
        if popen is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                await asyncio.to_thread(popen.wait, 5)
            if popen.poll() is None:
                popen.kill()
                popen.wait()

    def _post(self, message: wire.Message, fds: list[int]) -> None:
        self._outbox.append((wire.encode(message), fds))
        self._writable()

    def _writable(self) -> None:
        """Write what fits now; ask to be called again for the rest."""
        if self._sock is None:
            return
        loop = asyncio.get_running_loop()
        while self._outbox:
            data, fds = self._outbox[0]
            try:
                sent = wire.send(self._sock, data, fds)
            except BlockingIOError:
                loop.add_writer(self._sock, self._writable)
                return
            except OSError:
                self._lost()
                return
            _close_all(fds)
            if sent < len(data):
                self._outbox[0] = (data[sent:], [])
            else:
                self._outbox.popleft()
        loop.remove_writer(self._sock)

    def _readable(self) -> None:
        assert self._sock is not None
        try:
            messages = wire.receive(self._sock, self._decoder)
        except BlockingIOError:
            return
        if messages is None:
            log.warning("the fork server ended; its containers ended with it")
            self._lost()
            return
        for message, _fds in messages:
            self._handle(message)

    def _handle(self, message: wire.Message) -> None:
        if message["ev"] == "exit":
            process = self._processes.pop(message["pid"], None)
            if process is not None:
                process.exited.set_result(Exit(message["code"], message["signal"]))
            return
        future = self._starting.pop(message["id"])
        if message["ev"] == "failed":
            if not future.cancelled():
                future.set_exception(StartError(message["error"]))
            return
        process = Process(message["pid"], self)
        self._processes[process.pid] = process
        if future.cancelled():  # nobody waits for it any more
            process.kill()
        else:
            future.set_result(process)

    def _lost(self) -> None:
        """Forget the server: close the socket (which ends it) and settle everything that waits."""
        if self._sock is None:
            return
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._sock)
        loop.remove_writer(self._sock)
        self._sock.close()
        self._sock = None
        if self._popen is not None and self._popen.poll() is None:
            # Reaped later by whoever starts the next one or closes; a hung server must not keep its children.
            self._reaper(self._popen)
        self._popen = None
        self._decoder.close()
        self._decoder = wire.Decoder()
        self._settle()

    def _settle(self) -> None:
        for _data, fds in self._outbox:
            _close_all(fds)
        self._outbox.clear()
        starting, self._starting = self._starting, {}
        for future in starting.values():
            if not future.done():
                future.set_exception(StartError("the fork server ended"))
        processes, self._processes = self._processes, {}
        for process in processes.values():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.exited.set_result(Exit(128 + signal.SIGKILL, signal.SIGKILL))

    @staticmethod
    def _reaper(popen: subprocess.Popen[bytes]) -> None:
        """Wait for a server that is on its way out, off the loop; kill it if it does not go."""

        def wait() -> None:
            try:
                popen.wait(3)
            except subprocess.TimeoutExpired:
                popen.kill()
                popen.wait()

        asyncio.get_running_loop().run_in_executor(None, wait)


def _close_all(fds: list[int]) -> None:
    while fds:
        os.close(fds.pop())
