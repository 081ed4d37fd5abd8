"""The agent's own small HTTP server: merged metrics (15020), Envoy's metrics (15090), readiness.

Source: pilot-agent's status server, without ``/quitquitquit``: native sidecars end by themselves. One request at a time
is enough: its clients are Prometheus and probes.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
from collections.abc import Iterable, Iterator
from pathlib import Path

from meshcourse.embedded.istiod.agent import admin, stats

MERGED_PORT = 15020
ENVOY_PORT = 15090
_TIMEOUT = 1.0
_TEXT = "text/plain; version=0.0.4; charset=utf-8"

Answer = tuple[int, Iterable[bytes]]


class StatusServer:
    """Listens on both ports; call `serve` when one of `sockets` is readable.

    :param socket_path: Envoy's admin socket.
    :param application: whose metrics are merged into port 15020.
    """

    def __init__(
        self,
        addresses: dict[int, tuple[str, int]],
        socket_path: Path,
        application: stats.Application | None,
    ) -> None:
        self._socket_path = socket_path
        self._application = application
        self.sockets = {_listen(*address): port for port, address in addresses.items()}

    def close(self) -> None:
        for listener in self.sockets:
            listener.close()

    def serve(self, listener: socket.socket) -> None:
        """Answer one request; a client that is too slow or goes away is its own problem."""
        with contextlib.suppress(OSError):
            connection, _ = listener.accept()
            with connection:
                connection.settimeout(_TIMEOUT)
                status, body = self._answer(self.sockets[listener], _path(connection))
                _respond(connection, status, body)

    def _answer(self, port: int, path: str) -> Answer:
        try:
            if path.startswith("/stats/prometheus"):
                return 200, self._metrics(merged=port == MERGED_PORT)
            if path == "/healthz/ready":
                return admin.call(self._socket_path, "GET", "/ready")[0], ()
        except (OSError, http.client.HTTPException):
            return 503, ()
        return 404, (b"404 page not found\n",)

    def _metrics(self, *, merged: bool) -> Iterator[bytes]:
        yield from stats.strip(admin.stream(self._socket_path, "/stats/prometheus"))
        if merged and self._application is not None:
            yield self._application.scrape()


def _listen(host: str, port: int) -> socket.socket:
    listener = socket.create_server((host, port), backlog=16)
    listener.setblocking(False)
    return listener


def _path(connection: socket.socket) -> str:
    """What is asked for."""
    head = b""
    while b"\r\n\r\n" not in head and len(head) < 1 << 14:
        piece = connection.recv(4096)
        if not piece:
            break
        head += piece
    words = head.split(b"\r\n", 1)[0].decode("latin-1").split()
    return words[1] if len(words) >= 2 else ""


def _respond(connection: socket.socket, status: int, body: Iterable[bytes]) -> None:
    """HTTP/1.0 style: the end of the body is the end of the connection."""
    reason = http.client.responses.get(status, "")
    head = f"HTTP/1.1 {status} {reason}\r\nContent-Type: {_TEXT}\r\nConnection: close\r\n\r\n"
    connection.sendall(head.encode())
    for piece in body:
        connection.sendall(piece)
