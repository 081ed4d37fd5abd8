"""exec and attach over WebSocket."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

import aiohttp
import pytest
from aiohttp.test_utils import TestServer

from meshcourse.embedded.kube import status
from tests.unit.streams.node import TWO, Node, application

_ALL = "stdin=1&stdout=true&stderr=1&command=sh&command=-c"


async def everything(socket: aiohttp.ClientWebSocketResponse) -> dict[int, bytes]:
    """What came on each channel until the server closed."""
    found: dict[int, bytes] = {}
    async for message in socket:
        found[message.data[0]] = found.get(message.data[0], b"") + message.data[1:]
    return found


async def test_streams_and_exit_code(
    node: Node, server: TestServer, http: aiohttp.ClientSession
) -> None:
    node.code = 3
    async with http.ws_connect(
        server.make_url(f"/exec?{_ALL}"), protocols=["v5.channel.k8s.io"]
    ) as socket:
        assert socket.protocol == "v5.channel.k8s.io"
        await socket.send_bytes(b"\x00hello ")
        await socket.send_bytes(b"\xff\x00")  # v5: close stdin
        found = await everything(socket)
    assert (found[1], found[2]) == (b"HELLO out", b"err")
    assert json.loads(found[3]) == {
        "metadata": {},
        "status": "Failure",
        "message": "command terminated with non-zero exit code: exit status 3",
        "reason": "NonZeroExitCode",
        "details": {"causes": [{"reason": "ExitCode", "message": "3"}]},
    }
    assert node.asked == [("n", "p", "a", ("sh", "-c"), True, False)]
    assert node.sessions[0].killed.is_set(), "the session is released"


async def test_success(node: Node, server: TestServer, http: aiohttp.ClientSession) -> None:
    url = server.make_url("/exec?stdout=1&command=ls")
    async with http.ws_connect(url, protocols=["v4.channel.k8s.io"]) as socket:
        found = await everything(socket)
    assert json.loads(found[3]) == {"metadata": {}, "status": "Success"}
    assert found[1] == b"out"
    assert 2 not in found, "stderr was not asked for"


async def test_terminal_and_resize(
    node: Node, server: TestServer, http: aiohttp.ClientSession
) -> None:
    url = server.make_url(f"/exec?{_ALL}&tty=true")
    async with http.ws_connect(url, protocols=["v5.channel.k8s.io"]) as socket:
        await socket.send_bytes(b'\x04{"Width": 120, "Height": 40}')
        await socket.send_bytes(b"\x04nonsense")
        await socket.send_bytes(b"\x00x")
        await socket.send_bytes(b"\xff\x00")
        found = await everything(socket)
    assert node.asked[0][5] is True
    assert node.sessions[0].sizes == [(120, 40)]
    assert found[1] == b"Xout"


async def test_attach(node: Node, server: TestServer, http: aiohttp.ClientSession) -> None:
    url = server.make_url("/attach?stdout=1&container=a")
    async with http.ws_connect(url, protocols=["v5.channel.k8s.io"]) as socket:
        assert (await everything(socket))[1] == b"out"
    assert node.asked[0][3] == ("attached",)


async def test_a_client_that_goes_ends_the_command(
    node: Node, server: TestServer, http: aiohttp.ClientSession
) -> None:
    async with http.ws_connect(
        server.make_url(f"/exec?{_ALL}"), protocols=["v5.channel.k8s.io"]
    ) as socket:
        await socket.receive()
    async with asyncio.timeout(10):
        await node.sessions[0].killed.wait()


async def test_what_cannot_start_is_said_on_the_error_channel(
    node: Node, server: TestServer, http: aiohttp.ClientSession
) -> None:
    node.refusal = status.internal("no such program")
    async with http.ws_connect(
        server.make_url(f"/exec?{_ALL}"), protocols=["v5.channel.k8s.io"]
    ) as socket:
        found = json.loads((await everything(socket))[3])
    assert (found["message"], found["code"]) == ("Internal error occurred: no such program", 500)


async def test_older_protocols(node: Node, server: TestServer, http: aiohttp.ClientSession) -> None:
    node.code = 2
    url = server.make_url("/exec?stdout=1&command=x")
    async with http.ws_connect(url, protocols=["channel.k8s.io"]) as socket:
        found = await everything(socket)
    assert found[3] == b"command terminated with non-zero exit code: exit status 2"
    async with http.ws_connect(url, protocols=["v4.base64.channel.k8s.io"]) as socket:
        texts = [message.data async for message in socket]
    decoded = {int(text[0]): base64.b64decode(text[1:]) for text in texts if len(text) > 1}
    assert decoded[1] == b"out"
    assert json.loads(decoded[3])["reason"] == "NonZeroExitCode"


@pytest.mark.parametrize(
    ("path", "code", "message"),
    [
        ("/exec?stdout=1&container=zz", 400, "container zz is not valid for pod p"),
        ("/exec?command=x", 400, "you must specify at least 1 of stdin, stdout, stderr"),
        ("/exec?stdout=1", 400, "Upgrade request required"),
        ("/portforward", 400, "Upgrade request required"),
    ],
)
async def test_refused_before_anything_is_sent(
    server: TestServer, http: aiohttp.ClientSession, path: str, code: int, message: str
) -> None:
    async with http.get(server.make_url(path)) as response:
        answer: Any = await response.json()
    assert (response.status, answer["message"]) == (code, message)


async def test_the_container_has_to_be_named(node: Node, http: aiohttp.ClientSession) -> None:
    async with TestServer(application(node, TWO), host="127.0.0.1") as server:
        async with http.get(server.make_url("/exec?stdout=1")) as response:
            answer: Any = await response.json()
    assert answer["message"] == "a container name must be specified for pod p, choose one of: [a b]"
