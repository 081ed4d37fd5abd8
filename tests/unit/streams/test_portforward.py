"""Port-forward in its three wire forms."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest
from aiohttp.test_utils import TestServer

from meshcourse.embedded.apiserver.streams import portforward
from tests.unit.streams.node import Node
from tests.unit.streams.spdy_client import Client
from tests.unit.streams.test_spdy import upgraded


async def exchange(client: Client, port: str, request: str, text: bytes) -> tuple[bytes, bytes]:
    """Send `text`, finish, and return what came on the data and the error stream."""
    error = await client.open(streamtype="error", port=port, requestid=request)
    await client.write(error, b"", fin=True)
    data = await client.open(streamtype="data", port=port, requestid=request)
    await client.write(data, text, fin=True)
    await client.until(data, error)
    return client.data[data], client.data[error]


async def test_tunnelled_in_a_websocket(
    node: Node, server: TestServer, http: aiohttp.ClientSession
) -> None:
    url = server.make_url("/portforward")
    async with http.ws_connect(url, protocols=[portforward.TUNNEL]) as socket:
        assert socket.protocol == portforward.TUNNEL

        async def receive() -> bytes:
            message = await socket.receive()
            return message.data if message.type is aiohttp.WSMsgType.BINARY else b""

        client = Client(socket.send_bytes, receive)
        assert await exchange(client, "80", "0", b"x" * 300_000) == (b"X" * 300_000, b"")
        assert await exchange(client, "81", "1", b"again") == (b"AGAIN", b"")
        assert await exchange(client, "9999", "2", b"") == (b"", b"connect: connection refused")
        assert await exchange(client, "eighty", "3", b"") == (
            b"",
            b'unable to parse "eighty" as a port',
        )
    assert node.asked == [80, 81, 9999]


async def test_after_a_raw_upgrade(node: Node, server: TestServer) -> None:
    async with upgraded(server, "/portforward", "portforward.k8s.io") as (client, head, _):
        assert "X-Stream-Protocol-Version: portforward.k8s.io" in head
        both = await asyncio.gather(
            *(client.open(streamtype="error", requestid=str(i)) for i in (5, 6))
        )
        data = [await client.open(streamtype="data", port="80", requestid=str(i)) for i in (5, 6)]
        await client.write(data[1], b"second", fin=True)
        await client.until(data[1], both[1])
        await client.write(data[0], b"first", fin=True)
        await client.until(data[0], both[0])
    assert [client.data[number] for number in data] == [b"FIRST", b"SECOND"]


async def test_channels_of_the_python_client(
    node: Node, server: TestServer, http: aiohttp.ClientSession
) -> None:
    url = server.make_url("/portforward?ports=80,9999")
    async with http.ws_connect(url, protocols=["v4.channel.k8s.io"]) as socket:
        first: dict[int, bytes] = {}
        later: dict[int, bytes] = {}
        while len(first) < 4 or 3 not in later:
            message = await socket.receive(timeout=10)
            channel, data = message.data[0], message.data[1:]
            if channel in first:
                later[channel] = later.get(channel, b"") + data
            else:
                first[channel] = data
        assert first == {0: b"\x50\0", 1: b"\x50\0", 2: b"\x0f\x27", 3: b"\x0f\x27"}
        assert later[3] == b"connect: connection refused"
        await socket.send_bytes(b"\0hello")
    assert 80 in node.asked


@pytest.mark.parametrize("query", ["", "?ports=x"])
async def test_channels_need_ports(
    server: TestServer, http: aiohttp.ClientSession, query: str
) -> None:
    url = server.make_url(f"/portforward{query}")
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await http.ws_connect(url, protocols=["v4.channel.k8s.io"])
    assert refused.value.status == 400


async def test_a_client_that_goes_closes_the_connection(
    node: Node, http: aiohttp.ClientSession
) -> None:
    closed = asyncio.Event()

    async def wait(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        closed.set()
        writer.close()

    target = await asyncio.start_server(wait, "127.0.0.1", 0)
    node.port = target.sockets[0].getsockname()[1]
    from tests.unit.streams.node import application

    async with TestServer(application(node), host="127.0.0.1", handler_cancellation=True) as server:
        async with upgraded(server, "/portforward", "portforward.k8s.io") as (client, _, _reader):
            await client.open(streamtype="error", requestid="1")
            await client.open(streamtype="data", port="80", requestid="1")
            while not node.asked:
                await client.control(6, b"\0\0\0\1")
                await client.read()
        async with asyncio.timeout(10):
            await closed.wait()
    target.close()
    await target.wait_closed()
