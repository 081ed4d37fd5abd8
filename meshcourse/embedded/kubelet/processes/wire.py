"""Messages between the daemon and its fork server: JSON with a length in front, file descriptors alongside.

A stream socket is used because macOS has no SOCK_SEQPACKET for Unix sockets. Descriptors arrive no later than the first
byte of the message they belong to, so a queue keeps them in step with the messages.
"""

from __future__ import annotations

import json
import os
import socket
import struct
from collections import deque
from typing import Any

Message = dict[str, Any]

_LENGTH = struct.Struct("!I")
_CHUNK = 1 << 16
#: Descriptors in one read: several spawn requests may be read at once, three descriptors each.
_MAX_FDS = 96
_CLOEXEC = getattr(socket, "MSG_CMSG_CLOEXEC", 0)


def encode(message: Message) -> bytes:
    """The bytes of one message."""
    body = json.dumps(message, separators=(",", ":")).encode()
    return _LENGTH.pack(len(body)) + body


class Decoder:
    """Cuts a stream of bytes and descriptors into messages; each message says in ``fds`` how many are its own."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._fds: deque[int] = deque()

    def feed(self, data: bytes, fds: list[int]) -> list[tuple[Message, list[int]]]:
        """The messages completed by `data`, each with its descriptors (now the caller's to close)."""
        self._buffer += data
        self._fds.extend(fds)
        found = []
        while (message := self._next()) is not None:
            own = [self._fds.popleft() for _ in range(message.get("fds", 0))]
            found.append((message, own))
        return found

    def close(self) -> None:
        """Close descriptors whose message never came."""
        while self._fds:
            os.close(self._fds.popleft())

    def _next(self) -> Message | None:
        if len(self._buffer) < _LENGTH.size:
            return None
        (size,) = _LENGTH.unpack_from(self._buffer)
        end = _LENGTH.size + size
        if len(self._buffer) < end:
            return None
        message: Message = json.loads(self._buffer[_LENGTH.size : end])
        del self._buffer[:end]
        return message


def receive(sock: socket.socket, decoder: Decoder) -> list[tuple[Message, list[int]]] | None:
    """Read what is there; None at the end of the stream.

    :raises BlockingIOError: on a non-blocking socket with nothing to read.
    """
    try:
        data, fds, _flags, _address = socket.recv_fds(sock, _CHUNK, _MAX_FDS, _CLOEXEC)
    except ConnectionResetError:
        return None
    if not data:
        return None
    return decoder.feed(data, list(fds))


def send(sock: socket.socket, data: bytes, fds: list[int]) -> int:
    """Send as much as fits, descriptors with the first byte; the number of bytes taken."""
    if not fds:
        return sock.send(data)
    return socket.send_fds(sock, [data], fds)
