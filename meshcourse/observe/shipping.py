"""Access-log lines to a Fluent Bit (or Fluentd), by the forward protocol.

Source: Fluentd, "Forward Protocol Specification" (mode *Forward*: ``[tag, [[time, record], …]]`` in MessagePack).
"""

from __future__ import annotations

import dataclasses
import socket
from typing import Any
from urllib.parse import urlsplit

from meshcourse.cluster.cluster import Cluster
from meshcourse.errors import MeshcourseError
from meshcourse.observe.logs import Line, Log

NAMESPACE, SERVICE, PORT = "istio-system", "fluent-bit", 24224


def ship(cluster: Cluster, log: Log, tag: str = "envoy") -> int:
    """Send every line as a record; returns how many were sent.

    :raises MeshcourseError: if nobody takes them.
    """
    where = urlsplit(cluster.url(SERVICE, PORT, namespace=NAMESPACE))
    try:
        with socket.create_connection((where.hostname or "", where.port or PORT), 10) as connection:
            connection.sendall(message(tag, log))
            connection.shutdown(socket.SHUT_WR)
    except OSError as error:
        raise MeshcourseError(
            f"Fluent Bit takes no logs: {error}", remedy='Bring it in: mesh.ensure("fluent-bit").'
        ) from error
    return len(log)


def message(tag: str, log: Log) -> bytes:
    """The lines as one message of the protocol."""
    import msgpack

    events = [[int(line.entry.start), record(line)] for line in log]
    packed: bytes = msgpack.packb([tag, events])
    return packed


def record(line: Line) -> dict[str, Any]:
    """One line as a record: whose Envoy wrote it, and its fields by name."""
    return {"app": line.app, "pod": line.pod, **dataclasses.asdict(line.entry)}
