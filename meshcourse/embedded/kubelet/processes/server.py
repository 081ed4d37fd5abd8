"""The fork server: one warm, single-threaded process per cluster from which every container is forked.

Started by the daemon as ``python -m meshcourse.embedded.kubelet.processes.server CLUSTER FD MODULES PADDING``.
It imports what workloads need, opens no channel, and forks in a few milliseconds where starting Python costs
hundreds. When the daemon's end of the socket closes, for whatever reason, it kills every process group it
started and leaves; should it die itself, the kernel kills its children (PR_SET_PDEATHSIG).

Requests: ``spawn`` (``id, argv, entry?, env, cwd, title, short, tty`` and three descriptors), ``signal``
(``pid, signal, group``). Replies: ``started`` (``id, pid``), ``failed`` (``id, error``), ``exit`` (``pid, code,
signal``).
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import os
import select
import shutil
import signal
import socket
import sys
from typing import Any

from meshcourse.embedded.kubelet.processes import child, wire
from meshcourse.embedded.kubelet.processes.title import Title

_PR_SET_CHILD_SUBREAPER = 36


class Server:
    """Single-threaded on purpose: PR_SET_PDEATHSIG is tied to the forking thread, and fork copies no other thread."""

    def __init__(self, sock: socket.socket, cluster: str, preload: list[str]) -> None:
        self._sock = sock
        self._decoder = wire.Decoder()
        self._preload = preload
        self._groups: set[int] = set()
        libc = ctypes.CDLL(None, use_errno=True)
        if sys.platform == "linux":
            libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)  # we reap what containers leave behind
        title = Title(libc)
        title.set(f"meshcourse forkserver {cluster}", short="mc-forkserver")
        self._wake_read, self._wake_write = _wakeup_pipe()
        self._child = child.Child(libc, title, [sock.fileno(), self._wake_read, self._wake_write])

    def run(self) -> None:
        """Serve until the daemon hangs up."""
        gc.disable()
        try:
            while self._turn():
                pass
        finally:
            for group in self._groups:
                _kill_group(group, signal.SIGKILL)

    def _turn(self) -> bool:
        """Requests go first; while there are none, import one more module."""
        timeout = 0 if self._preload else None
        sock = self._sock.fileno()
        readable, _, _ = select.select([sock, self._wake_read], [], [], timeout)
        if self._wake_read in readable:
            os.read(self._wake_read, 4096)
            self._reap()
        if sock in readable:
            return self._serve()
        if not readable and self._preload:
            self._import(self._preload.pop(0))
        return True

    def _serve(self) -> bool:
        messages = wire.receive(self._sock, self._decoder)
        if messages is None:
            return False
        for message, fds in messages:
            try:
                if message["op"] == "spawn":
                    self._spawn(message, fds)
                else:
                    self._signal(message)
            finally:
                for fd in fds:
                    os.close(fd)
        return True

    def _spawn(self, request: dict[str, Any], fds: list[int]) -> None:
        problem = self._problem(request)
        if problem:
            self._send({"ev": "failed", "id": request["id"], "error": problem})
            return
        pid = os.fork()
        if pid == 0:
            self._child.run(request, fds)
        self._groups.add(pid)
        self._send({"ev": "started", "id": request["id"], "pid": pid})

    def _problem(self, request: dict[str, Any]) -> str:
        """Why this cannot be started, in a container runtime's words; "" if it can."""
        entry, program = request.get("entry"), request["argv"][0]
        if entry:
            return self._import(entry.partition(":")[0])
        found = shutil.which(
            os.path.join(request["cwd"], program) if "/" in program else program,
            path=request["env"].get("PATH", os.defpath),
        )
        if found is not None:
            return ""
        if "/" in program:
            return f'exec: "{program}": stat {program}: no such file or directory'
        return f'exec: "{program}": executable file not found in $PATH'

    def _import(self, module: str) -> str:
        """Import here, so that all later children share the memory. The reason if that fails."""
        if module in sys.modules:
            return ""
        try:
            importlib.import_module(module)
        except Exception as error:
            print(f"cannot import {module}: {error!r}", file=sys.stderr, flush=True)
            return f"cannot import {module}: {error}"
        gc.freeze()
        return ""

    def _signal(self, request: dict[str, Any]) -> None:
        pid = request["pid"]
        if pid not in self._groups:
            return  # already reaped: the number may belong to somebody else by now
        if request.get("group"):
            _kill_group(pid, request["signal"])
        else:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, request["signal"])

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            self._report(pid, status)

    def _report(self, pid: int, status: int) -> None:
        if pid not in self._groups:
            return  # a grandchild that became ours
        # As with a container's first process, the rest of the container goes with it.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)
        self._groups.discard(pid)
        number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
        code = 128 + number if number else os.WEXITSTATUS(status)
        self._send({"ev": "exit", "pid": pid, "code": code, "signal": number})

    def _send(self, message: wire.Message) -> None:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._sock.sendall(wire.encode(message))


def _kill_group(group: int, number: int) -> None:
    """Signal a child's group; a child so young that it leads no group yet is signalled itself."""
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        with contextlib.suppress(ProcessLookupError):
            os.kill(group, number)
    except PermissionError:
        pass  # macOS: every process of the group is a zombie


def _wakeup_pipe() -> tuple[int, int]:
    """A pipe that becomes readable with every SIGCHLD."""
    read, write = os.pipe()
    os.set_blocking(read, False)
    os.set_blocking(write, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(write, warn_on_full_buffer=False)
    return read, write


def main() -> None:
    cluster, fd, modules = sys.argv[1:4]
    # The daemon ends this process by hanging up; a Ctrl-C in its terminal is not for us.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sock = socket.socket(fileno=int(fd))
    os.set_inheritable(int(fd), False)
    Server(sock, cluster, [name for name in modules.split(",") if name]).run()


if __name__ == "__main__":
    main()
