"""Work in a short-lived child, so that its memory goes when it is done.

Making a key, TLS and HTTP touch some megabytes; a process that sits beside every Envoy for days
should not keep them. Only for single-threaded processes.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from typing import Any


class ChildError(Exception):
    """The work failed; the text is the exception's."""


def run(work: Callable[[], Any]) -> Any:
    """The JSON value that `work` returns, computed in a forked child.

    :raises ChildError: if it raised, or its process died.
    """
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(read)
        _child(work, write)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        answer = pipe.read()
    os.waitpid(pid, 0)
    if not answer:
        raise ChildError("the helper process died")
    found = json.loads(answer)
    if "error" in found:
        raise ChildError(found["error"])
    return found["value"]


def _child(work: Callable[[], Any], write: int) -> None:
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    try:
        answer = {"value": work()}
    except BaseException as error:
        answer = {"error": str(error)}
    try:
        os.write(write, json.dumps(answer).encode())
    finally:
        os._exit(0)
