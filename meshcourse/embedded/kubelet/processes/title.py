"""What ``ps`` shows for a process forked from the fork server.

A forked child inherits its parent's command line. The kernel shows the memory between ``arg_start`` and ``arg_end`` of
the process, so a long argument in the fork server's own command line is room that every child may write its name into.
Source: proc(5), prctl(2), fs/proc/base.c (get_mm_cmdline).
"""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path

#: Room for titles: given to the fork server as its last argument.
PADDING = "." * 480

_PR_SET_NAME = 15
# Positions counted from the state field, which follows the parenthesised command in /proc/self/stat.
_ARG_START, _ARG_END = 48 - 3, 49 - 3


def _area_linux() -> tuple[int, int]:
    fields = Path("/proc/self/stat").read_bytes().rpartition(b")")[2].split()
    start, end = int(fields[_ARG_START]), int(fields[_ARG_END])
    return start, end - start


def _area_macos() -> tuple[int, int]:
    """The arguments lie one behind the other from argv[0] on. Not run on a Mac by the tests."""
    libc = ctypes.CDLL(None)
    libc._NSGetArgv.restype = ctypes.POINTER(ctypes.POINTER(ctypes.c_void_p))
    argv = libc._NSGetArgv().contents
    first = argv[0] or 0
    length = sum(len(word.encode()) + 1 for word in sys.orig_argv)
    return first, length


class Title:
    """The title of this process and, after a fork, of the child. Make it before forking: it resolves addresses."""

    def __init__(self, libc: ctypes.CDLL) -> None:
        self._libc = libc
        self._start, self._size = 0, 0
        try:
            self._start, self._size = _area_linux() if sys.platform == "linux" else _area_macos()
        except (OSError, ValueError, IndexError, AttributeError):
            pass  # no title then; nothing else depends on it

    def set(self, text: str, *, short: str = "") -> None:
        """Show `text` as the command line and the first 15 bytes of `short` as the command's name."""
        if self._size > 1:
            data = text.encode("utf-8", "replace")[: self._size - 1]
            ctypes.memmove(self._start, data.ljust(self._size, b"\0"), self._size)
        if short and sys.platform == "linux":
            self._libc.prctl(_PR_SET_NAME, short.encode()[:15], 0, 0, 0)
