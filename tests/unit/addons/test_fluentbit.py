"""The forward protocol, the bounded store, and both sides of the Fluent Bit stand-in."""

from __future__ import annotations

import asyncio
import gzip
import struct
from typing import Any

import msgpack
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from meshcourse.embedded.addons.fluentbit import forward, main
from meshcourse.embedded.addons.fluentbit.api import Api
from meshcourse.embedded.addons.fluentbit.forward import Event
from meshcourse.embedded.addons.fluentbit.receiver import Receiver
from meshcourse.embedded.addons.fluentbit.store import Store

EVENT_TIME = msgpack.ExtType(0, struct.pack(">II", 1_700_000_000, 500_000_000))
ENTRIES = b"".join(msgpack.packb([at, {"n": at}]) for at in (1, 2))
MODES: dict[str, tuple[list[Any], list[float]]] = {
    "Message": (["t", 5, {"a": 1}], [5.0]),
    "Message with option": (["t", EVENT_TIME, {"a": 1}, {"chunk": "c"}], [1_700_000_000.5]),
    "Forward": (["t", [[1, {}], [EVENT_TIME, {}]]], [1.0, 1_700_000_000.5]),
    "PackedForward": (["t", ENTRIES, {"size": 2}], [1.0, 2.0]),
    "CompressedPackedForward": (
        ["t", gzip.compress(ENTRIES), {"compressed": "gzip"}],
        [1.0, 2.0],
    ),
}


def event(time: float, **record: Any) -> Event:
    return Event("t", time, record, 100)


@pytest.mark.parametrize(("message", "times"), MODES.values(), ids=list(MODES))
def test_modes(message: list[Any], times: list[float]) -> None:
    [batch] = forward.Decoder().feed(msgpack.packb(message))
    assert [one.time for one in batch.events] == times
    assert {one.tag for one in batch.events} == {"t"}
    assert batch.ack == (msgpack.packb({"ack": "c"}) if "chunk" in str(message[-1]) else b"")


def test_messages_in_pieces() -> None:
    decoder, data = forward.Decoder(), msgpack.packb(["t", 1, {"a": "b"}]) * 2
    found = [batch for byte in data for batch in decoder.feed(bytes([byte]))]
    assert [one.record for batch in found for one in batch.events] == [{"a": "b"}] * 2


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        msgpack.packb(["t"]),
        msgpack.packb(["t", 1]),
        msgpack.packb([1, 2, {}]),
        msgpack.packb(["t", "x", {}, {}]),
        msgpack.packb(["t", [[1, "no record"]]]),
        msgpack.packb(["t", [["late", {}]]]),
        msgpack.packb(["t", b"not gzip", {"compressed": "gzip"}]),
        msgpack.packb(["t", b"\xc1"]),
    ],
)
def test_what_is_no_forward_protocol(data: bytes) -> None:
    with pytest.raises(forward.ProtocolError):
        forward.Decoder().feed(data)


def test_a_small_message_cannot_unpack_to_everything() -> None:
    bomb = gzip.compress(b"\x00" * (forward.LARGEST + 10))
    with pytest.raises(forward.ProtocolError, match="more than"):
        forward.Decoder().feed(msgpack.packb(["t", bomb, {"compressed": "gzip"}]))


def test_bytes_in_records_become_text() -> None:
    message = ["t", 1, {"a": b"x", "b": [b"y", {"c": b"z"}]}]
    [batch] = forward.Decoder().feed(msgpack.packb(message))
    assert batch.events[0].record == {"a": "x", "b": ["y", {"c": "z"}]}


def test_the_store_keeps_the_newest_within_its_capacity() -> None:
    store = Store(capacity=1000)
    store.add(event(at, request_id=str(at % 3)) for at in range(25))
    assert (len(store), store.size, store.records, store.dropped) == (10, 1000, 25, 15)
    assert [one.time for one in store.find(limit=3)] == [22, 23, 24]
    assert [one.time for one in store.find("0")] == [15, 18, 21, 24]
    store.add(event(100) for _ in range(10))
    assert store.find("0") == []


def test_the_store_finds_by_pod() -> None:
    store = Store()
    store.add([event(1, pod="details-v1-x"), event(2, pod="reviews-v1-y"), event(3)])
    assert [one.time for one in store.find(pod="details")] == [1]
    assert [one.time for one in store.find()] == [1, 2, 3]


def test_lines_are_json() -> None:
    assert main.line(Event("t", 1.5, {"path": "/"}, 1)) == '{"date":1.5,"path":"/"}'


async def _sent(port: int, *messages: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(b"".join(messages))
        writer.write_eof()
        return await asyncio.wait_for(reader.read(), 5)
    finally:
        writer.close()
        await writer.wait_closed()


async def test_receiving_acknowledging_and_asking() -> None:
    store, shown = Store(), []
    receiver = Receiver(store, shown.extend)
    port = await receiver.start("127.0.0.1", 0)
    app = web.Application()
    app.add_routes(Api(store, receiver).routes())
    try:
        async with TestClient(TestServer(app)) as client:
            one = msgpack.packb(["t", [[1, {"request_id": "r", "pod": "p-1"}]], {"chunk": "c1"}])
            two = msgpack.packb(["t", 2, {"request_id": "other"}, {"chunk": "c2"}])
            answers = msgpack.Unpacker()
            answers.feed(await _sent(port, one, two))
            assert list(answers) == [{"ack": "c1"}, {"ack": "c2"}]
            assert await _sent(port, b"GET / HTTP/1.1\r\n") == b""
            assert receiver.errors == 1
            assert len(shown) == 2
            await _check_http(client)
    finally:
        await receiver.stop()


async def _check_http(client: TestClient[Any, Any]) -> None:
    found = await (await client.get("/logs", params={"request_id": "r"})).json()
    assert found == [{"time": 1.0, "tag": "t", "record": {"request_id": "r", "pod": "p-1"}}]
    assert len(await (await client.get("/logs?limit=1")).json()) == 1
    assert len(await (await client.get("/logs?pod=p-")).json()) == 1
    for bad in ("many", "0"):
        assert (await client.get("/logs", params={"limit": bad})).status == 400
    assert await (await client.get("/api/v1/health")).text() == "ok\n"
    metrics = await (await client.get("/api/v1/metrics")).json()
    assert metrics["input"]["forward.0"]["records"] == 2
    assert metrics["output"]["stdout.0"]["errors"] == 1
    text = await (await client.get("/api/v1/metrics/prometheus")).text()
    assert 'fluentbit_input_records_total{name="forward.0"} 2' in text
    assert (await (await client.get("/api/v1/uptime")).json())["uptime_sec"] >= 0
    assert "fluent-bit" in await (await client.get("/")).json()
    page = await (await client.get("/", headers={"Accept": "text/html"})).text()
    assert "http://" not in page
    assert "https://" not in page


async def test_stopping_ends_open_connections() -> None:
    receiver = Receiver(Store(), lambda events: None)
    port = await receiver.start("127.0.0.1", 0)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(msgpack.packb(["t", 1, {}, {"chunk": "c"}]))
    assert await asyncio.wait_for(reader.readexactly(7), 5) == msgpack.packb({"ack": "c"})
    await receiver.stop()
    assert await asyncio.wait_for(reader.read(), 5) == b""
    writer.close()
    await writer.wait_closed()
