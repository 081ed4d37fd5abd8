"""One proxy's stream: who it is, what it has, and the event that makes the server look again."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable

from meshcourse.embedded.istiod import metrics
from meshcourse.embedded.istiod.xds import types, wire
from meshcourse.embedded.istiod.xds.delivery import Delivery, Request, Response, Timing
from meshcourse.embedded.istiod.xds.encode import Target
from meshcourse.embedded.istiod.xds.nodes import Node

#: Told of a NACK: connection, type URL, Envoy's message.
OnNack = Callable[["Connection", str, str], None]

_serial = itertools.count(1)


class Connection:
    """State of one ADS stream.

    :param peer: the client's address as gRPC writes it.
    """

    def __init__(self, node: Node, peer: str, timing: Timing, on_nack: OnNack) -> None:
        self.node = node
        self.peer = peer
        self.id = f"{node.name}-{next(_serial)}"
        self.connected_at = time.time()
        self.delivery = Delivery(timing)
        self.wake = asyncio.Event()
        #: Type URL → why the newest configuration could not even be sent.
        self.unsent: dict[str, str] = {}
        self._on_nack = on_nack
        self._timer: asyncio.TimerHandle | None = None
        self._pending_since: float | None = None

    def retarget(self, target: Target) -> None:
        """Give the proxy something new to converge to."""
        if self._pending_since is None:
            self._pending_since = target.born
        self.unsent.clear()
        self.delivery.retarget(target)
        self.wake.set()

    def refuse(self, type_url: str, error: str) -> None:
        """The newest configuration is no valid message: the proxy keeps what it has."""
        if self.unsent != {type_url: error}:
            self.unsent = {type_url: error}
            self._on_nack(self, type_url, error)

    def receive(self, request: Request) -> None:
        """Take in what the proxy said."""
        if self.delivery.receive(request):
            metrics.XDS_REJECTS.inc(type=types.short(request.type_url).lower())
            self._on_nack(self, request.type_url, request.error)
        elif self._pending_since is not None and self.delivery.all_synced():
            metrics.CONVERGENCE.observe(time.monotonic() - self._pending_since)
            self._pending_since = None
        self.wake.set()

    def take(self) -> list[bytes]:
        """Responses that are due, in wire form; arranges to be woken when more become due."""
        now = time.monotonic()
        responses = self.delivery.take(now)
        self._arrange(now)
        for response in responses:
            metrics.XDS_PUSHES.inc(type=types.short(response.type_url).lower())
            self.delivery.channels[response.type_url].sent_at = time.time()
        return [serialize(response) for response in responses]

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _arrange(self, now: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        deadline = self.delivery.deadline()
        if deadline is not None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(max(0.0, deadline - now), self.wake.set)


def serialize(response: Response) -> bytes:
    """A DiscoveryResponse; its resources are encoded already."""
    chunks = [resource.chunk for resource in response.resources]
    head = wire.delimited(b"\x0a", response.version.encode())
    tail = wire.delimited(b"\x22", response.type_url.encode())
    return b"".join([head, *chunks, tail, wire.delimited(b"\x2a", response.nonce.encode())])
