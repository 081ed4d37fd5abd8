"""What every image needs from the place it runs in: where to listen, where mounts are, how to stop.

The contract with the kubelet is "Container environment" and "Images" in docs/architecture.md.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any

Environment = Mapping[str, str]


def listen(port: int, env: Environment = os.environ) -> tuple[str, int]:
    """The host and real port on which a workload that wants container port `port` must listen.

    ``MESHCOURSE_PORTS`` maps container ports to ``[pod port, app port]``; ``MESHCOURSE_LISTEN_HOST`` says
    which of the two this container is. Where both addresses are the same (systems without an address per
    pod) the app column counts, so the kubelet gives a pod without a sidecar equal columns.
    Outside a pod: loopback, the port itself.
    """
    host = env.get("MESHCOURSE_LISTEN_HOST", "127.0.0.1")
    ports = json.loads(env.get("MESHCOURSE_PORTS") or "{}")
    entry = ports.get(str(port), port)
    if isinstance(entry, int):
        return host, entry
    pod_port, app_port = entry
    return host, app_port if host == env.get("MESHCOURSE_APP_IP") else pod_port


def mounted(path: str, env: Environment = os.environ) -> Path:
    """Where the container path `path` is on this machine: below the container's root, as volumes are mounted."""
    return Path(env.get("MESHCOURSE_ROOT", ".")) / path.lstrip("/")


def port_argument(argv: list[str], default: int) -> int:
    """The port that an image's command line names: its last numeric argument, else `default`."""
    numbers = [int(word) for word in argv[1:] if word.isdigit()]
    return numbers[-1] if numbers else default


def bake(**defaults: str) -> None:
    """Environment variables that an image carries in itself; the pod's own `env` goes first."""
    for name, value in defaults.items():
        os.environ.setdefault(name, value)


def say(line: str) -> None:
    """One line to the container's log, at once (its stdout is a file or a pipe, so Python would keep it back)."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def complain(line: str) -> None:
    """One line to the container's standard error, at once."""
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


async def until_stopped() -> None:
    """Wait for SIGTERM or SIGINT."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, stopped.set)
    try:
        await stopped.wait()
    finally:
        for signum in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(signum)


def run(serve: Callable[[], Coroutine[Any, Any, None]]) -> int:
    """Run a workload in a new event loop until it returns.

    :returns: the exit code: 0, or 1 with a line on standard error if its address cannot be had.
    """
    try:
        asyncio.run(serve())
    except OSError as error:
        complain(f"cannot serve: {error}")
        return 1
    return 0
