"""Metrics as Istio's agent serves them: Envoy's, then the application's.

Envoy's Prometheus endpoint prefixes every name; a name without prefix needs a WebAssembly module in
each proxy (2.6 MB and some milliseconds each), so the agent removes the prefix on the way.
"""

from __future__ import annotations

import http.client
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

PREFIX = b"envoy_wasmcustom_"
_TIMEOUT = 3.0


def strip(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The same text without `PREFIX`, however it is cut into pieces."""
    rest = b""
    for piece in pieces:
        lines, newline, rest = (rest + piece).rpartition(b"\n")
        if newline:
            yield (lines + newline).replace(PREFIX, b"")
    if rest:
        yield rest.replace(PREFIX, b"")


@dataclass(frozen=True, slots=True)
class Application:
    """Where the application serves its own metrics (``prometheus.io/…`` annotations before injection)."""

    host: str
    port: int
    path: str

    def scrape(self) -> bytes:
        """Its metrics; empty if it has none to give right now."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=_TIMEOUT)
        try:
            connection.request("GET", self.path, headers={"Accept": "text/plain"})
            response = connection.getresponse()
            body = response.read()
        except (OSError, http.client.HTTPException):
            return b""
        finally:
            connection.close()
        return body if response.status == 200 else b""
