"""The protobuf wire format: fields of one message. Source: the protocol buffers encoding guide."""

from __future__ import annotations

from collections.abc import Iterator

#: A varint (wire types 0, 5 and 1 as integers) or bytes (wire type 2).
Value = int | bytes


class Malformed(ValueError):
    """Not a protobuf message."""


def varint(data: bytes, at: int) -> tuple[int, int]:
    """The number at position `at`, and the position behind it.

    :raises Malformed: if it does not end, or is longer than ten bytes.
    """
    result = shift = 0
    while at < len(data) and shift < 70:
        byte = data[at]
        at += 1
        result |= (byte & 127) << shift
        if byte < 128:
            return result, at
        shift += 7
    raise Malformed("unexpected EOF")


def fields(data: bytes) -> Iterator[tuple[int, Value]]:
    """Number and value of every field, in order.

    :raises Malformed: if `data` is not a message.
    """
    at = 0
    while at < len(data):
        tag, at = varint(data, at)
        number, kind = tag >> 3, tag & 7
        if kind == 0:
            value, at = varint(data, at)
            yield number, value
        elif kind in _FIXED:
            end = at + _FIXED[kind]
            yield number, int.from_bytes(_slice(data, at, end), "little")
            at = end
        elif kind == 2:
            length, at = varint(data, at)
            yield number, _slice(data, at, at + length)
            at += length
        else:
            raise Malformed(f"illegal wireType {kind}")


_FIXED = {1: 8, 5: 4}


def _slice(data: bytes, start: int, end: int) -> bytes:
    if end > len(data):
        raise Malformed("unexpected EOF")
    return data[start:end]


def signed(value: Value) -> int:
    """A varint as the 64-bit two's complement that int32 and int64 use."""
    if not isinstance(value, int):
        raise Malformed("wrong wireType")
    return value - (1 << 64) if value >> 63 else value


def raw(value: Value) -> bytes:
    if not isinstance(value, bytes):
        raise Malformed("wrong wireType")
    return value


def text(value: Value) -> str:
    """:raises Malformed: if the bytes are not UTF-8."""
    try:
        return raw(value).decode()
    except UnicodeDecodeError as error:
        raise Malformed(str(error)) from None
