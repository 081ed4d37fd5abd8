"""RESP, redis' protocol (redis.io, "RESP protocol spec"): reading and writing values. No sockets of its own."""

from __future__ import annotations

import asyncio

Value = bytes | int | None | list["Value"] | Exception


class ProtocolError(Exception):
    """Bytes that are not RESP."""


class CommandError(Exception):
    """An error as an answer: ``ERR …``."""


def encode(value: object) -> bytes:
    """A value as an answer: text is a simple string, bytes a bulk string, None nothing."""
    if value is None:
        return b"$-1\r\n"
    if isinstance(value, CommandError):
        return f"-{value}\r\n".encode()
    if isinstance(value, str):
        return f"+{value}\r\n".encode()
    if isinstance(value, int):
        return f":{value}\r\n".encode()
    if isinstance(value, bytes):
        return b"$%d\r\n%b\r\n" % (len(value), value)
    if isinstance(value, list):
        return b"*%d\r\n" % len(value) + b"".join(encode(item) for item in value)
    raise TypeError(f"no RESP for {type(value).__name__}")


def command(*words: bytes | str) -> bytes:
    """A command, as clients send it: an array of bulk strings."""
    return encode([word.encode() if isinstance(word, str) else word for word in words])


async def read(reader: asyncio.StreamReader) -> Value:
    """One value.

    :raises ProtocolError: if it is none.
    :raises asyncio.IncompleteReadError: if the connection ends first.
    """
    line = (await reader.readuntil(b"\r\n"))[:-2]
    kind, rest = line[:1], line[1:]
    if kind == b"+":
        return rest
    if kind == b"-":
        return CommandError(rest.decode())
    try:
        number = int(rest)
    except ValueError as error:
        raise ProtocolError(f"expected a RESP value, got {line[:40]!r}") from error
    if kind == b":":
        return number
    if kind == b"$":
        return None if number < 0 else (await reader.readexactly(number + 2))[:-2]
    if kind == b"*":
        return None if number < 0 else [await read(reader) for _ in range(number)]
    raise ProtocolError(f"expected a RESP value, got {line[:40]!r}")


async def read_command(reader: asyncio.StreamReader) -> list[bytes]:
    """One command: an array, or a line of words as typed over telnet.

    :raises ProtocolError: if it is neither.
    :raises asyncio.IncompleteReadError: if the connection ends first.
    """
    first = await reader.readexactly(1)
    if first != b"*":
        return (first + await reader.readuntil(b"\n")).split()
    count = int((await reader.readuntil(b"\r\n"))[:-2])
    words = [await read(reader) for _ in range(count)]
    if not all(isinstance(word, bytes) for word in words):
        raise ProtocolError("expected bulk strings")
    return [word for word in words if isinstance(word, bytes)]
