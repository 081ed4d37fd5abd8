"""Which addresses of this machine somebody listens at. Linux tells by netlink, without a connection being made.

A node's kube-proxy forwards packets, so a port at which the pod does not listen refuses connections. Our Envoy accepts
them itself; for load balancers, whose pods may open their ports later, it must not listen where nobody does behind it.

Source: ``man 7 sock_diag``.
"""

from __future__ import annotations

import dataclasses
import socket
import struct
import sys
from collections.abc import Callable, Iterator

from meshcourse.embedded.kubelet.proxy.model import Address, View

_SOCK_DIAG, _BY_FAMILY = 4, 20
_REQUEST_DUMP = 0x301
_ERROR, _DONE = 2, 3
_LISTEN = 1 << 10
_HEADER = struct.Struct("=IHHII")
_REQUEST = struct.Struct("=BBBxI48s")
#: Of an answer: family, then the local port and address.
_ANSWER = struct.Struct("!BxxxHxx16s")
_ANYWHERE = {"0.0.0.0", "::"}

Listeners = frozenset[Address]


def listeners() -> Listeners | None:
    """Every address at which somebody listens over TCP; None where the system does not tell."""
    if sys.platform != "linux":
        return None
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _SOCK_DIAG) as sock:
            sock.settimeout(1.0)
            families = (socket.AF_INET, socket.AF_INET6)
            return frozenset(found for family in families for found in _dump(sock, family))
    except OSError:
        return None


def _dump(sock: socket.socket, family: int) -> Iterator[Address]:
    body = _REQUEST.pack(family, socket.IPPROTO_TCP, 0, _LISTEN, b"")
    length = _HEADER.size + len(body)
    sock.send(_HEADER.pack(length, _BY_FAMILY, _REQUEST_DUMP, 0, 0) + body)
    while True:
        data = sock.recv(1 << 16)
        while len(data) >= _HEADER.size:
            size, kind, *_ = _HEADER.unpack_from(data)
            if kind == _DONE:
                return
            if kind == _ERROR:
                raise OSError("sock_diag refused")
            yield _address(data[_HEADER.size : size])
            data = data[(size + 3) & ~3 :]


def _address(answer: bytes) -> Address:
    family, port, raw = _ANSWER.unpack_from(answer)
    host = raw[:4] if family == socket.AF_INET else raw
    return socket.inet_ntop(family, host).removeprefix("::ffff:"), port


def open_only(view: View, found: Listeners | None) -> View:
    """The view without endpoints of load balancers at which nobody listens."""
    if found is None:
        return view
    ports = tuple(
        dataclasses.replace(
            port, endpoints=tuple(one for one in port.endpoints if _listened(one, found))
        )
        if port.external
        else port
        for port in view.ports
    )
    return dataclasses.replace(view, ports=ports)


def _listened(address: Address, found: Listeners) -> bool:
    return address in found or any((host, address[1]) in found for host in _ANYWHERE)


class Doors:
    """Remembers what was open, to tell when that has changed.

    :param look: who listens now.
    """

    def __init__(self, look: Callable[[], Listeners | None] = listeners) -> None:
        self._look = look
        self._view = View((), ())
        self._last = self._view

    @property
    def any(self) -> bool:
        """Whether there are load balancers to look after."""
        return any(port.external and port.endpoints for port in self._view.ports)

    def pass_on(self, view: View) -> View:
        """What of the view can be served now."""
        self._view = view
        self._last = open_only(view, self._look() if self.any else None)
        return self._last

    def changed(self) -> bool:
        """Whether somebody has begun or ceased to listen since."""
        return self.any and open_only(self._view, self._look()) != self._last
