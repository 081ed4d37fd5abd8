"""What a forked child does before it is a container: session, death signal, descriptors, environment, title.

Runs between fork and the workload, in a process that shares nothing with the daemon but its descriptors.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import gc
import importlib
import logging
import os
import signal
import sys
import termios
import traceback
from collections.abc import Callable
from typing import Any

from meshcourse.embedded.kubelet.processes.title import Title

_PR_SET_PDEATHSIG = 1

#: Exit code of a command that cannot be started, as shells and container runtimes have it.
CANNOT_EXECUTE, NOT_FOUND = 126, 127


def resolve(entry: str) -> Callable[[list[str]], int | None]:
    """The function behind ``module:function``.

    :raises ImportError, AttributeError: if there is no such thing.
    """
    module, _, function = entry.partition(":")
    found: Callable[[list[str]], int | None] = getattr(importlib.import_module(module), function)
    return found


class Child:
    """Prepared by the server before it forks, used on the other side."""

    def __init__(self, libc: ctypes.CDLL, title: Title, private_fds: list[int]) -> None:
        self._libc = libc
        self._title = title
        self._private_fds = private_fds
        self._server = os.getpid()

    def run(self, request: dict[str, Any], fds: list[int]) -> None:
        """Become the process that `request` describes. Never returns."""
        code = 1
        try:
            self._detach(bool(request.get("tty")), fds)
            self._settle(request)
            code = self._become(request)
        except BaseException:
            traceback.print_exc()
        finally:
            _flush()
            os._exit(code)

    def _detach(self, tty: bool, fds: list[int]) -> None:
        os.setsid()
        if sys.platform == "linux":
            self._libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            if os.getppid() != self._server:  # died before the signal was asked for
                os._exit(128 + signal.SIGKILL)
        for target, fd in enumerate(fds):
            os.dup2(fd, target)
        for fd in {*self._private_fds, *fds} - {0, 1, 2}:
            os.close(fd)
        if tty:
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    def _settle(self, request: dict[str, Any]) -> None:
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        self._title.set(request["title"], short=request.get("short", ""))
        os.environ.clear()
        os.environ.update(request["env"])
        os.chdir(request["cwd"])

    def _become(self, request: dict[str, Any]) -> int:
        if request.get("entry"):
            return _call(request["entry"], request["argv"])
        return _execute(request["argv"], request["env"])


def _call(entry: str, argv: list[str]) -> int:
    """Run a Python workload and translate how it ends into an exit code, as the interpreter does."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.argv = list(argv)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    gc.enable()
    try:
        return int(resolve(entry)(argv) or 0)
    except SystemExit as stop:
        return _exit_code(stop.code)
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except BrokenPipeError:
        return 128 + signal.SIGPIPE


def _exit_code(code: object) -> int:
    if code is None or isinstance(code, int):
        return int(code or 0) & 0xFF
    print(code, file=sys.stderr)
    return 1


def _execute(argv: list[str], env: dict[str, str]) -> int:
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # Python ignores it and exec would keep that
    try:
        os.execvpe(argv[0], argv, env)
    except FileNotFoundError as error:
        print(f"{argv[0]}: {error.strerror}", file=sys.stderr)
        return NOT_FOUND
    except OSError as error:
        print(f"{argv[0]}: {error.strerror}", file=sys.stderr)
        return CANNOT_EXECUTE


def _flush() -> None:
    """os._exit flushes nothing; a closed pipe must not hide the exit code."""
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
