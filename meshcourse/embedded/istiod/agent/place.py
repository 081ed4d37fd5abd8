"""Where the container is on this machine: addresses, ports and mounted files.

The contract with the kubelet is "Container environment" in docs/architecture.md.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path


def root(env: Mapping[str, str] = os.environ) -> Path:
    """The container's root directory."""
    return Path(env.get("MESHCOURSE_ROOT", "."))


def mounted(path: str, env: Mapping[str, str] = os.environ) -> Path:
    """The file or directory that the container sees at `path`."""
    return root(env) / path.lstrip("/")


def listen(port: int, env: Mapping[str, str] = os.environ) -> tuple[str, int]:
    """Host and port to listen on so that others reach us at the pod's `port`.

    ``MESHCOURSE_PORTS`` maps ports to ``[pod port, app port]`` where pods share one address.
    """
    host = env.get("MESHCOURSE_POD_IP") or env.get("INSTANCE_IP") or "127.0.0.1"
    return host, _ports(port, env)[0]


def application(port: int, env: Mapping[str, str] = os.environ) -> tuple[str, int]:
    """Host and port at which the application beside us listens for `port`."""
    return env.get("MESHCOURSE_APP_IP", "127.0.0.1"), _ports(port, env)[1]


def _ports(port: int, env: Mapping[str, str]) -> tuple[int, int]:
    entry = json.loads(env.get("MESHCOURSE_PORTS") or "{}").get(str(port), port)
    return (entry, entry) if isinstance(entry, int) else (entry[0], entry[1])


def read_pairs(path: Path) -> dict[str, str]:
    """Labels or annotations as the downward API writes them, one ``key="value"`` a line; {} if not mounted."""
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return {}
    pairs = (line.partition("=") for line in lines)
    return {key: str(json.loads(value)) for key, _, value in pairs if value.startswith('"')}
