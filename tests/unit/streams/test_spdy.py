"""exec over a raw SPDY upgrade, and the framing."""

from __future__ import annotations

import asyncio
import json
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp.test_utils import TestServer
from hypothesis import given
from hypothesis import strategies as st

from meshcourse.embedded.apiserver.streams import spdy
from meshcourse.embedded.kube import status
from tests.unit.streams.node import Node
from tests.unit.streams.spdy_client import Client


@asynccontextmanager
async def upgraded(
    server: TestServer, path: str, protocol: str = "v4.channel.k8s.io"
) -> AsyncIterator[tuple[Client, list[str], asyncio.StreamReader]]:
    """A connection after its upgrade; the lines of the answer's head come with it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)

    async def send(data: bytes) -> None:
        writer.write(data)
        await writer.drain()

    await send(
        f"POST {path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n"
        f"X-Stream-Protocol-Version: {protocol}\r\nContent-Length: 0\r\n\r\n".encode()
    )
    head = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)).decode().split("\r\n")
    try:
        yield Client(send, lambda: reader.read(65536)), head, reader
    finally:
        writer.close()
        await writer.wait_closed()


def test_the_dictionary_is_the_one_of_the_protocol() -> None:
    assert (len(spdy.dictionary()), zlib.adler32(spdy.dictionary())) == (1423, 0xE3C6A7C2)


async def test_exec(node: Node, server: TestServer) -> None:
    node.code = 4
    path = "/exec?stdin=1&stdout=1&stderr=1&command=cat"
    async with upgraded(server, path) as (client, head, reader):
        assert head[0] == "HTTP/1.1 101 Switching Protocols"
        assert "X-Stream-Protocol-Version: v4.channel.k8s.io" in head
        error = await client.open(streamtype="error")
        stdin = await client.open(streamtype="stdin")
        stdout = await client.open(streamtype="stdout")
        stderr = await client.open(streamtype="stderr")
        await client.write(stdin, b"hello " * 20000)
        await client.write(stdin, b"", fin=True)
        await client.until(error, stdout, stderr)
        assert client.data[stdout] == b"HELLO " * 20000 + b"out"
        assert client.data[stderr] == b"err"
        assert json.loads(client.data[error])["details"]["causes"][0]["message"] == "4"
        assert client.replies == {error, stdin, stdout, stderr}
        await client.control(7, b"\0" * 8)  # GOAWAY
        assert await asyncio.wait_for(reader.read(), 10) == b"", "the server hangs up"
    assert node.sessions[0].killed.is_set()


async def test_a_terminal_waits_for_its_resize_stream(node: Node, server: TestServer) -> None:
    async with upgraded(server, "/exec?stdin=1&stdout=1&tty=1&command=sh") as (client, _, _reader):
        error = await client.open(streamtype="error")
        stdin = await client.open(streamtype="stdin")
        stdout = await client.open(streamtype="stdout")
        assert not node.sessions
        resize = await client.open(streamtype="resize")
        await client.write(resize, b'{"Width":80,"Height":24}')
        while not node.sessions or not node.sessions[0].sizes:
            await client.control(6, b"\0\0\0\1")  # PING: something to wait for
            await client.read()
        assert node.sessions[0].sizes == [(80, 24)]
        assert client.pings[0] == b"\0\0\0\1"
        await client.write(stdin, b"", fin=True)
        await client.until(error, stdout)


async def test_what_cannot_start(node: Node, server: TestServer) -> None:
    node.refusal = status.internal("no such program")
    async with upgraded(server, "/exec?stdout=1&command=x") as (client, _, _reader):
        error = await client.open(streamtype="error")
        stdout = await client.open(streamtype="stdout")
        await client.until(error, stdout)
    assert json.loads(client.data[error])["message"] == "Internal error occurred: no such program"


async def test_a_client_that_goes_ends_the_command(node: Node, server: TestServer) -> None:
    async with upgraded(server, "/exec?stdin=1&stdout=1&command=x") as (client, _, _reader):
        for kind in ("error", "stdin", "stdout"):
            await client.open(streamtype=kind)
        while not node.sessions:
            await client.control(6, b"\0\0\0\1")
            await client.read()
    async with asyncio.timeout(10):
        await node.sessions[0].killed.wait()


async def test_garbage_ends_the_connection(server: TestServer) -> None:
    async with upgraded(server, "/portforward", "portforward.k8s.io") as (client, _, reader):
        await client.control(1, b"\0\0\0\1\0\0\0\0\0\0not compressed")
        assert await asyncio.wait_for(reader.read(), 10) == b""


async def test_unknown_protocols_are_refused(server: TestServer) -> None:
    async with upgraded(server, "/exec?stdout=1", "v9.channel.k8s.io") as (_, head, _reader):
        assert head[0] == "HTTP/1.1 403 Forbidden"


@pytest.mark.parametrize("size", [1, 7, 4096])
async def test_frames_may_arrive_in_pieces(size: int) -> None:
    sent: list[bytes] = []
    seen: list[spdy.Stream] = []

    async def send(data: bytes) -> None:
        sent.append(data)

    async def on_stream(stream: spdy.Stream) -> None:
        seen.append(stream)

    session = spdy.Session(send, on_stream)
    frames: list[bytes] = []

    async def collect(data: bytes) -> None:
        frames.append(data)

    async def nothing() -> bytes:
        return b""

    client = Client(collect, nothing)
    number = await client.open(streamtype="data", port="80")
    await client.write(number, b"payload", fin=True)
    whole = b"".join(frames)
    for start in range(0, len(whole), size):
        await session.feed(whole[start : start + size])
    await asyncio.sleep(0)
    assert seen[0].headers == {"streamtype": "data", "port": "80"}
    assert [await seen[0].read(), await seen[0].read(), await seen[0].read()] == [
        b"payload",
        b"",
        b"",
    ]
    await session.close()


@given(st.binary(max_size=64))
def test_nonsense_is_refused_not_suffered(data: bytes) -> None:
    async def feed() -> None:
        async def ignore(_: object) -> None:
            return None

        session = spdy.Session(ignore, ignore)
        try:
            await session.feed(data)
        except spdy.ProtocolError:
            pass
        finally:
            await session.close()

    asyncio.run(feed())
