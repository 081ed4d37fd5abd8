"""The Fluentd forward protocol: bytes → events and acknowledgements. Pure.

Source: Fluentd, "Forward Protocol Specification v1": Message, Forward, PackedForward and CompressedPackedForward
modes, EventTime, and the ``chunk`` option, which is answered with ``{"ack": chunk}``.
"""

from __future__ import annotations

import gzip
import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import msgpack

#: More than this in one message (or unpacked from one) ends the connection.
LARGEST: Final = 8 << 20
_EVENT_TIME: Final = 0


class ProtocolError(ValueError):
    """Bytes that are not the forward protocol, or too many of them."""


@dataclass(frozen=True, slots=True)
class Event:
    """One record. `time` in seconds since the epoch, `size` in bytes as it came."""

    tag: str
    time: float
    record: dict[str, Any]
    size: int


@dataclass(frozen=True, slots=True)
class Batch:
    """What one message held, and what to answer (b"" for nothing)."""

    events: list[Event]
    ack: bytes


class Decoder:
    """Feed bytes as they come; take whole messages out."""

    def __init__(self) -> None:
        self._unpacker = _unpacker(LARGEST)

    def feed(self, data: bytes) -> list[Batch]:
        """The messages that `data` completes. :raises ProtocolError:"""
        try:
            self._unpacker.feed(data)
            return [_batch(message) for message in self._unpacker]
        except ProtocolError:
            raise
        except (
            ValueError,
            TypeError,
            msgpack.UnpackException,
            msgpack.BufferFull,
            OSError,
        ) as error:
            raise ProtocolError(
                f"not the forward protocol: {error or type(error).__name__}"
            ) from error


def _unpacker(limit: int) -> Any:
    return msgpack.Unpacker(
        raw=False,
        strict_map_key=False,
        unicode_errors="replace",
        max_buffer_size=limit,
        ext_hook=_extension,
    )


def _extension(code: int, data: bytes) -> float | None:
    """EventTime: seconds and nanoseconds, big endian."""
    if code != _EVENT_TIME or len(data) != 8:
        return None
    seconds, nanoseconds = struct.unpack(">II", data)
    return float(seconds + nanoseconds / 1e9)


def _batch(message: Any) -> Batch:
    if not isinstance(message, list) or len(message) < 2 or not isinstance(message[0], str):
        raise ProtocolError("a message is an array that begins with a tag")
    tag, body = message[0], message[1]
    if isinstance(body, list):
        option, pairs = _option(message, 2), list(_pairs(body))
    elif isinstance(body, (bytes, str)):
        option = _option(message, 2)
        packed = body if isinstance(body, bytes) else body.encode("utf-8", "surrogateescape")
        pairs = list(_pairs(_unpacked(packed, compressed=option.get("compressed") == "gzip")))
    else:
        if len(message) < 3:
            raise ProtocolError("a message has a tag, a time and a record")
        option, pairs = _option(message, 3), list(_pairs([message[1:3]]))
    events = [Event(tag, time, record, _size(record)) for time, record in pairs]
    chunk = option.get("chunk")
    return Batch(events, msgpack.packb({"ack": chunk}) if chunk else b"")


def _option(message: list[Any], index: int) -> dict[str, Any]:
    found = message[index] if len(message) > index else None
    return found if isinstance(found, dict) else {}


def _unpacked(data: bytes, *, compressed: bool) -> Iterator[Any]:
    if compressed:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as stream:
            data = stream.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise ProtocolError(f"more than {LARGEST} bytes in one message")
    inner = _unpacker(LARGEST)
    inner.feed(data)
    yield from inner


def _pairs(entries: Any) -> Iterator[tuple[float, dict[str, Any]]]:
    for entry in entries:
        if not isinstance(entry, list) or len(entry) < 2 or not isinstance(entry[1], dict):
            raise ProtocolError("an entry is an array of a time and a record")
        if not isinstance(entry[0], (int, float)):
            raise ProtocolError(f"not a time: {entry[0]!r}")
        yield float(entry[0]), {str(name): _plain(value) for name, value in entry[1].items()}


def _plain(value: Any) -> Any:
    """JSON's types only."""
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, dict):
        return {str(name): _plain(one) for name, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list) else value


def _size(record: dict[str, Any]) -> int:
    return len(msgpack.packb(record))
