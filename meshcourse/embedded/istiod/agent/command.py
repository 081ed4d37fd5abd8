"""The command ``pilot-agent`` as people run it with ``kubectl exec``: ``request``, ``wait``, ``version``."""

from __future__ import annotations

import argparse
import http.client
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from meshcourse import versions
from meshcourse.embedded.istiod.agent import admin, bootstrap, place, stats
from meshcourse.embedded.istiod.agent.supervisor import DIRECTORY

_POLL = 0.1


def main(argv: Sequence[str]) -> int:
    """Run one command inside the container; the exit code."""
    parser = argparse.ArgumentParser(prog="pilot-agent", description="Istio Pilot agent.")
    commands = parser.add_subparsers(dest="command", required=True)
    request = commands.add_parser("request", help="Makes an HTTP request to the Envoy admin API")
    request.add_argument("method")
    request.add_argument("path")
    request.add_argument("--debug-port", help="accepted; the admin interface is a socket here")
    wait = commands.add_parser("wait", help="Waits until the Envoy proxy is ready")
    wait.add_argument("--timeoutSeconds", type=float, default=60.0, dest="timeout")
    commands.add_parser("version", help="Prints out build version information")
    options = parser.parse_args(list(argv[1:]))
    os.chdir(place.root())
    if options.command == "version":
        sys.stdout.write(f"version.BuildInfo{{Version:{versions.ISTIO!r}}}\n")
        return 0
    if options.command == "wait":
        return _wait(options.timeout)
    return _request(options.method.upper(), options.path)


def _socket() -> Path:
    return Path(DIRECTORY.lstrip("/")) / bootstrap.ADMIN_SOCKET


def _request(method: str, path: str) -> int:
    url = "/" + path.lstrip("/")
    if url == "/drain":
        url = "/drain_listeners?inboundonly&graceful&skip_exit"
    try:
        if method == "GET" and url.startswith("/stats/prometheus"):
            for piece in stats.strip(admin.stream(_socket(), url)):
                sys.stdout.buffer.write(piece)
            sys.stdout.flush()
            return 0
        status, body = admin.call(_socket(), method, url, 30.0)
    except (OSError, http.client.HTTPException) as error:
        sys.stderr.write(f"Error: failed to execute command on Envoy: {error}\n")
        return 1
    sys.stdout.buffer.write(body)
    sys.stdout.flush()
    if status >= 400:
        sys.stderr.write(f"Error: received unsuccessful status code {status}\n")
        return 1
    return 0


def _wait(timeout: float) -> int:
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        try:
            if admin.call(_socket(), "GET", "/ready", 1.0)[0] == 200:
                return 0
        except (OSError, http.client.HTTPException):
            pass
        time.sleep(_POLL)
    sys.stderr.write(f"Error: timeout waiting for Envoy proxy to become ready after {timeout:g}s\n")
    return 1
