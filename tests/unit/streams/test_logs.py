"""``pods/log``."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest
from aiohttp.test_utils import TestServer

from meshcourse.embedded.apiserver.streams.backend import LogOptions
from meshcourse.embedded.kube import status
from tests.unit.streams.node import Node


async def test_lines(node: Node, server: TestServer, http: aiohttp.ClientSession) -> None:
    query = "tailLines=2&sinceSeconds=9&limitBytes=100&timestamps=true&previous=1&container=i"
    async with http.get(server.make_url(f"/log?{query}")) as response:
        assert await response.text() == "one\ntwo\n"
    assert response.headers["Content-Type"] == "text/plain"
    options = LogOptions(
        previous=True, timestamps=True, tail_lines=2, since_seconds=9, limit_bytes=100
    )
    assert node.asked == [("n", "p", "i", options)]


async def test_since_a_time(node: Node, server: TestServer, http: aiohttp.ClientSession) -> None:
    async with http.get(server.make_url("/log?sinceTime=2020-01-01T00:00:00Z")) as response:
        assert response.status == 200
    seconds = node.asked[0][3].since_seconds
    assert seconds > 5 * 365 * 86400


async def test_an_empty_log(node: Node, server: TestServer, http: aiohttp.ClientSession) -> None:
    node.chunks = []
    async with http.get(server.make_url("/log")) as response:
        assert (response.status, await response.text()) == (200, "")


async def test_following_a_silent_container_answers_at_once(
    node: Node, server: TestServer, http: aiohttp.ClientSession
) -> None:
    node.chunks = []
    async with http.get(
        server.make_url("/log?follow=true"), timeout=aiohttp.ClientTimeout(10)
    ) as response:
        assert response.status == 200


async def test_following_ends_with_the_client(
    node: Node, server: TestServer, http: aiohttp.ClientSession
) -> None:
    async with http.get(server.make_url("/log?follow=true")) as response:
        assert await response.content.readline() == b"one\n"
        async with asyncio.timeout(10):
            await node.following.wait()
        response.close()
    async with asyncio.timeout(10):
        await node.log_closed.wait()


async def test_the_node_refuses(
    node: Node, server: TestServer, http: aiohttp.ClientSession
) -> None:
    node.refusal = status.bad_request(
        'container "a" in pod "p" is waiting to start: ContainerCreating'
    )
    async with http.get(server.make_url("/log")) as response:
        answer: Any = await response.json()
    assert (response.status, answer["message"]) == (400, node.refusal.message)


@pytest.mark.parametrize(
    ("query", "code", "message"),
    [
        ("container=zz", 400, "container zz is not valid for pod p"),
        (
            "tailLines=-1",
            422,
            'PodLogOptions "" is invalid: tailLines: Invalid value: -1: must be greater than or equal to 0',
        ),
        (
            "limitBytes=0",
            422,
            'PodLogOptions "" is invalid: limitBytes: Invalid value: 0: must be greater than 0',
        ),
        (
            "tailLines=many",
            400,
            'unable to decode tailLines: strconv.ParseInt: parsing "many": invalid syntax',
        ),
        ("sinceTime=yesterday", 400, 'parsing time "yesterday" as RFC3339: cannot parse'),
    ],
)
async def test_bad_parameters(
    server: TestServer, http: aiohttp.ClientSession, query: str, code: int, message: str
) -> None:
    async with http.get(server.make_url(f"/log?{query}")) as response:
        answer: Any = await response.json()
    assert (response.status, answer["message"]) == (code, message)
