"""Images that only run a program: curl, busybox, netshoot, and pause, which does nothing."""

from __future__ import annotations

import os
import shutil
import signal
import sys

from meshcourse.embedded.images import common, executables


def run(argv: list[str]) -> int:
    """Run the program `argv`: this machine's, of which this process then becomes one, or ours if that goes first.

    :returns: ours's exit code, or 127 if there is no such program.
    """
    name = os.path.basename(argv[0])
    if name == "sleep" and argv[1:] in (["infinity"], ["inf"]):
        return idle(argv)
    own = executables.function(name)
    if own is not None:
        return own([name, *argv[1:]]) or 0
    # A path inside a container (/usr/bin/env) may not exist here under that name.
    program = argv[0] if os.access(argv[0], os.X_OK) else shutil.which(name)
    if program is not None:
        sys.stdout.flush()
        os.execv(program, argv)
    common.complain(f'exec: "{argv[0]}": executable file not found in $PATH')
    return 127


def idle(argv: list[str]) -> int:
    """Wait for SIGTERM at as little memory as can be: as a ``sleep`` where that knows how to sleep for ever."""
    program = shutil.which("sleep")
    if program and sys.platform == "linux":
        os.execv(program, ["sleep", "infinity"])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    while True:
        signal.pause()


def curl(argv: list[str]) -> int:
    """Image curlimages/curl: its arguments are curl's, unless they name another program."""
    words = argv[1:] or ["--help"]
    if words[0].startswith("-") or "://" in words[0]:
        words = ["curl", *words]
    return run(words)


def shell(argv: list[str]) -> int:
    """Images busybox, alpine and nicolaka/netshoot: the program given, else a shell."""
    return run(argv[1:] or ["sh"])


def fortio(argv: list[str]) -> int:
    """Image fortio/fortio: its arguments are fortio's; without any it is the echo server."""
    words = argv[1:]
    if words and os.path.basename(words[0]) == "fortio":
        words = words[1:]
    return run(["fortio", *(words or ["server"])])


def pause(argv: list[str]) -> int:
    """Image pause."""
    return idle(argv)
