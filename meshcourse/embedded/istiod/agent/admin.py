"""Envoy's admin interface over its Unix socket: the smallest HTTP client that will do."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Iterator
from pathlib import Path

_CHUNK = 1 << 16


class AdminConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket. `path` should be relative: addresses of sockets are short."""

    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


def call(path: Path, method: str, url: str, timeout: float = 10.0) -> tuple[int, bytes]:
    """Status and body of a request to Envoy.

    :raises OSError: if Envoy is not there.
    """
    connection = AdminConnection(path, timeout)
    try:
        connection.request(method, url)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def stream(path: Path, url: str, timeout: float = 10.0) -> Iterator[bytes]:
    """The body of a GET in pieces, so that a large one does not make the agent grow.

    :raises OSError: if Envoy is not there.
    """
    connection = AdminConnection(path, timeout)
    try:
        connection.request("GET", url)
        response = connection.getresponse()
        while piece := response.read(_CHUNK):
            yield piece
    finally:
        connection.close()
