"""Probes against real containers: what makes a pod ready, and what restarts a container."""

from __future__ import annotations

import asyncio
import struct
import time
from typing import Any

import pytest

from meshcourse.embedded.kubelet.probes import grpc_health
from tests.integration.kubelet.conftest import Node, container_status, is_ready, make_pod

HTTP = {"httpGet": {"path": "/health", "port": 8080}}


def web(**probes: Any) -> dict[str, Any]:
    return {"ports": [{"name": "http", "containerPort": 8080}], **probes}


@pytest.mark.parametrize(
    "check",
    [
        HTTP,
        {"httpGet": {"path": "/health", "port": "http"}},
        {"tcpSocket": {"port": 8080}},
        {"exec": {"command": ["true"]}},
    ],
)
async def test_a_pod_is_ready_when_its_probe_succeeds_not_a_period_later(
    node: Node, check: dict[str, Any]
) -> None:
    probe = {**check, "periodSeconds": 60}
    began = time.monotonic()
    await node.run(make_pod("web", "web", container=web(readinessProbe=probe)))
    await node.until_ready("web")
    assert time.monotonic() - began < 10


async def test_readiness_comes_and_goes(node: Node) -> None:
    probe = {**HTTP, "periodSeconds": 1, "failureThreshold": 1}
    await node.run(make_pod("web", "web", container=web(readinessProbe=probe)))
    await node.until_ready("web")
    broken = node.container("web").root / "fail"
    broken.touch()
    pod = await node.until("web", lambda pod: not is_ready(pod))
    assert container_status(pod)["restartCount"] == 0
    assert ("Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 500") in (
        await node.events("web")
    )
    broken.unlink()
    await node.until_ready("web")


async def test_a_container_that_is_no_longer_alive_is_restarted(node: Node) -> None:
    probe = {**HTTP, "periodSeconds": 1, "failureThreshold": 2, "initialDelaySeconds": 1}
    await node.run(make_pod("web", "web", container=web(livenessProbe=probe)))
    await node.until_ready("web")
    broken = node.container("web").root / "fail"
    broken.touch()
    await node.until("web", lambda pod: container_status(pod)["restartCount"] == 1)
    broken.unlink()
    events = await node.events("web")
    assert ("Killing", "Container app failed liveness probe, will be restarted") in events
    await node.until_ready("web")


async def test_a_startup_probe_holds_back_the_others(node: Node) -> None:
    startup = {
        "exec": {"command": ["test", "-e", "up"]},
        "periodSeconds": 1,
        "failureThreshold": 60,
    }
    liveness = {"exec": {"command": ["false"]}, "periodSeconds": 1, "failureThreshold": 1}
    await node.run(
        make_pod("pod", "wait", container={"startupProbe": startup, "livenessProbe": liveness})
    )
    pod = await node.until("pod", lambda pod: "running" in container_status(pod).get("state", {}))
    assert (container_status(pod)["started"], container_status(pod)["ready"]) == (False, False)
    await asyncio.sleep(1.5)  # long enough for the liveness probe, had it begun
    assert container_status(await node.pod("pod"))["restartCount"] == 0
    (node.container("pod").root / "up").touch()
    await node.until("pod", lambda pod: container_status(pod)["restartCount"] == 1)


async def test_a_probe_that_cannot_connect_says_why(node: Node) -> None:
    probe = {"tcpSocket": {"port": 8081}, "periodSeconds": 1}
    await node.run(make_pod("pod", "wait", container={"readinessProbe": probe}))

    async def told() -> bool:
        return any(reason == "Unhealthy" for reason, _ in await node.events("pod"))

    deadline = time.monotonic() + 10
    while not await told():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)
    message = next(text for reason, text in await node.events("pod") if reason == "Unhealthy")
    address = node.container("pod").view.addresses.pod_ip
    assert message == (
        f"Readiness probe failed: dial tcp {address}:8081: connect: connection refused"
    )


class Health:
    """A gRPC health server as far as one check needs it."""

    def __init__(self, status: int | None) -> None:
        self.status = status
        self.asked = b""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(24)
        writer.write(_frame(4, 0, 0, b"") + _frame(6, 0, 0, b"12345678"))
        while not self.asked:
            head = await reader.readexactly(9)
            payload = await reader.readexactly(int.from_bytes(head[:3], "big"))
            if head[3] == 0:
                self.asked = payload
        if self.status is None:
            writer.write(_frame(1, 0x5, 1, b"\x88"))  # headers only: no such method
        else:
            message = bytes([0x08, self.status]) if self.status else b""
            body = struct.pack("!BI", 0, len(message)) + message
            writer.write(_frame(1, 0x4, 1, b"\x88") + _frame(0, 0, 1, body[:3]))
            writer.write(_frame(0, 0, 1, body[3:]))
        await writer.drain()
        await reader.read()
        writer.close()


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "big") + struct.pack("!BBI", kind, flags, stream) + payload


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (1, grpc_health.SERVING),
        (2, grpc_health.NOT_SERVING),
        (0, grpc_health.UNKNOWN),
        (None, grpc_health.SERVICE_UNKNOWN),
    ],
)
async def test_grpc_health_is_asked_without_grpc(answer: int | None, expected: int) -> None:
    health = Health(answer)
    server = await asyncio.start_server(health.serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        assert await grpc_health.check("127.0.0.1", port, "shop.Cart") == expected
    assert health.asked == b"\x00\x00\x00\x00\x0b\x0a\x09shop.Cart"


async def test_a_real_grpc_server_is_understood() -> None:
    grpc = pytest.importorskip("grpc")
    server = grpc.aio.server()
    port = server.add_insecure_port("127.0.0.1:0")

    async def check(request: bytes, context: Any) -> bytes:
        return b"\x08\x01" if request == b"\x0a\x01x" else b"\x08\x02"

    handler = grpc.unary_unary_rpc_method_handler(check)
    service = grpc.method_handlers_generic_handler("grpc.health.v1.Health", {"Check": handler})
    server.add_generic_rpc_handlers((service,))
    await server.start()
    try:
        assert await grpc_health.check("127.0.0.1", port, "x") == grpc_health.SERVING
        assert await grpc_health.check("127.0.0.1", port, "") == grpc_health.NOT_SERVING
    finally:
        await server.stop(None)


async def test_what_speaks_no_http2_is_an_error() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(OSError, match=r"not an HTTP/2 server|connection closed"):
            await grpc_health.check("127.0.0.1", port, "")
