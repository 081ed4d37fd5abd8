"""The gRPC health check spoken over a plain socket, so that the daemon need not load gRPC.

One HTTP/2 connection, one request, the first message of the answer. Sources: gRPC health checking protocol
(grpc.health.v1.Health/Check), gRPC over HTTP/2, RFC 9113 (frames), RFC 7541 (literal headers without indexing).
"""

from __future__ import annotations

import asyncio
import contextlib
import struct

UNKNOWN, SERVING, NOT_SERVING, SERVICE_UNKNOWN = 0, 1, 2, 3
_NAMES = {
    UNKNOWN: "UNKNOWN",
    SERVING: "SERVING",
    NOT_SERVING: "NOT_SERVING",
    SERVICE_UNKNOWN: "SERVICE_UNKNOWN",
}

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _RESET, _SETTINGS, _PING, _GOAWAY = 0, 1, 3, 4, 6, 7
_END_STREAM, _END_HEADERS, _ACK, _PADDED = 0x1, 0x4, 0x1, 0x8
_MAX_FRAME = 1 << 20


def name(status: int) -> str:
    """The name of a serving status."""
    return _NAMES.get(status, str(status))


async def check(host: str, port: int, service: str) -> int:
    """The serving status of `service` ("" for the whole server); SERVICE_UNKNOWN if the call itself is refused.

    :raises OSError: if nothing listens or the connection breaks.
    """
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(_PREFACE + _frame(_SETTINGS, 0, 0, b"") + _request(f"{host}:{port}", service))
        return await _answer(reader, writer)
    except asyncio.IncompleteReadError as error:
        raise ConnectionResetError("connection closed before the answer") from error
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


def _request(authority: str, service: str) -> bytes:
    headers = b"".join(
        _literal(key, value)
        for key, value in (
            (":method", "POST"),
            (":scheme", "http"),
            (":path", "/grpc.health.v1.Health/Check"),
            (":authority", authority),
            ("content-type", "application/grpc"),
            ("te", "trailers"),
            ("user-agent", "kube-probe/1.35"),
        )
    )
    text = service.encode()
    message = b"\x0a" + _varint(len(text)) + text if text else b""
    body = struct.pack("!BI", 0, len(message)) + message
    return _frame(_HEADERS, _END_HEADERS, 1, headers) + _frame(_DATA, _END_STREAM, 1, body)


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> int:
    body = b""
    while True:
        kind, flags, stream, payload = await _read_frame(reader)
        if kind == _SETTINGS and not flags & _ACK:
            writer.write(_frame(_SETTINGS, _ACK, 0, b""))
        elif kind == _PING and not flags & _ACK:
            writer.write(_frame(_PING, _ACK, 0, payload))
        elif kind in (_GOAWAY, _RESET):
            return SERVICE_UNKNOWN
        elif stream == 1 and kind == _DATA:
            body += payload[1 : len(payload) - payload[0]] if flags & _PADDED else payload
            if len(body) >= 5 and len(body) >= 5 + int.from_bytes(body[1:5], "big"):
                return _status(body[5:])
        if stream == 1 and flags & _END_STREAM and kind in (_DATA, _HEADERS):
            return SERVICE_UNKNOWN  # trailers only: the server has no such service or no health service


def _status(message: bytes) -> int:
    """Field 1 of HealthCheckResponse; absent means UNKNOWN."""
    return message[1] if len(message) >= 2 and message[0] == 0x08 else UNKNOWN


async def _read_frame(reader: asyncio.StreamReader) -> tuple[int, int, int, bytes]:
    head = await reader.readexactly(9)
    size = int.from_bytes(head[:3], "big")
    if size > _MAX_FRAME:
        raise ConnectionResetError("not an HTTP/2 server")
    stream = int.from_bytes(head[5:9], "big") & 0x7FFFFFFF
    return head[3], head[4], stream, await reader.readexactly(size)


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "big") + struct.pack("!BBI", kind, flags, stream) + payload


def _literal(key: str, value: str) -> bytes:
    return b"\x00" + _string(key) + _string(value)


def _string(text: str) -> bytes:
    data = text.encode()
    if len(data) < 127:
        return bytes([len(data)]) + data
    return b"\x7f" + _varint(len(data) - 127) + data


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
