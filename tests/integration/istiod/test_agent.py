"""Agents and real Envoys: identity, readiness, rotation, metrics, an orderly end."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import stat
from pathlib import Path

import aiohttp
import pytest

from meshcourse.embedded.istio import model
from meshcourse.embedded.istiod.xds import types
from tests.integration.istiod import mesh as meshes
from tests.integration.istiod.mesh import Mesh, until

IP = "127.156.7.1"


def plain(host: str, port: int) -> model.Resources:
    """One listener that sends everything to one endpoint."""
    return model.Resources(
        clusters={"app": meshes.eds_cluster("app")},
        endpoints={"app": meshes.assignment("app", (host, port))},
        listeners={"http": meshes.http_listener("http", IP, 9080, "http")},
        routes={"http": meshes.weighted_route("http", {"app": 100})},
    )


async def ready(session: aiohttp.ClientSession, ip: str = IP) -> bool:
    with contextlib.suppress(aiohttp.ClientError):
        async with session.get(f"http://{ip}:15021/healthz/ready") as response:
            return response.status == 200
    return False


async def wait_ready(session: aiohttp.ClientSession) -> None:
    async with asyncio.timeout(20):
        while not await ready(session):
            await asyncio.sleep(0.02)


async def test_a_proxy_gets_its_identity_and_serves(tmp_path: Path) -> None:
    async with meshes.running(tmp_path) as mesh, aiohttp.ClientSession() as session:
        mesh.push("web", plain("127.0.0.1", mesh.https_port))
        await mesh.start("web", IP, "bookinfo-reviews")
        await mesh.synced("web")
        await wait_ready(session)
        (certificate,) = json.loads(mesh.admin("web", "/certs"))["certificates"][:1]
        (san,) = certificate["cert_chain"][0]["subject_alt_names"]
        assert san == {"uri": "spiffe://cluster.local/ns/default/sa/bookinfo-reviews"}
        private = mesh.root_of("web") / "etc/istio/proxy/sds/default.json"
        assert stat.S_IMODE(private.stat().st_mode) == 0o600
        socket = mesh.root_of("web") / "etc/istio/proxy/admin.sock"
        assert stat.S_IMODE(socket.stat().st_mode) == 0o600
        await check_metrics(session)
        assert not mesh.nacks


async def check_metrics(session: aiohttp.ClientSession) -> None:
    for port in (15020, 15090):
        async with session.get(f"http://{IP}:{port}/stats/prometheus") as response:
            text = await response.text()
        assert "envoy_server_live" in text
    async with session.get(f"http://{IP}:15020/nothing") as response:
        assert response.status == 404


async def test_a_proxy_that_lies_about_its_account_is_turned_away(tmp_path: Path) -> None:
    async with meshes.running(tmp_path) as mesh:
        mesh.push("liar", plain("127.0.0.1", 1))
        # The token says productpage, the node says reviews.
        await mesh.start("liar", IP, "reviews", token="token/default/productpage")
        await until(
            lambda: "PermissionDenied" in mesh.log("liar") or "gRPC config" in mesh.log("liar")
        )
        assert "no identities" in mesh.log("liar")
        assert "matched default/reviews" in mesh.log("liar")
        assert mesh.connection("liar") is None


async def test_no_certificate_without_a_valid_token(tmp_path: Path) -> None:
    async with meshes.running(tmp_path) as mesh:
        await mesh.start("guest", IP, token="made-up")
        await until(lambda: "failed to sign" in mesh.log("guest"))
        assert "request authenticate failure" in mesh.log("guest")
        agent = mesh.agents["guest"]
        agent.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(agent.wait(), 5) == 0


async def test_certificates_rotate_under_load_without_a_lost_request(tmp_path: Path) -> None:
    async with meshes.running(tmp_path) as mesh, aiohttp.ClientSession() as session:
        mesh.push("web", plain(IP, 15021))
        await mesh.start("web", IP, SECRET_TTL="1500ms")
        await mesh.synced("web")
        await wait_ready(session)
        first = serial(mesh)
        failures = [0]
        seen = {first}
        while len(seen) < 3:
            async with session.get(f"http://{IP}:9080/healthz/ready") as response:
                failures[0] += response.status != 200
            seen.add(serial(mesh))
        assert failures == [0]
        connection = mesh.connection("web")
        assert connection is not None
        assert connection.delivery.all_synced()


def serial(mesh: Mesh) -> str:
    certificates = json.loads(mesh.admin("web", "/certs"))["certificates"]
    return str(certificates[0]["cert_chain"][0]["serial_number"])


async def test_envoy_never_outlives_its_agent(tmp_path: Path) -> None:
    async with meshes.running(tmp_path) as mesh:
        mesh.push("web", plain("127.0.0.1", 1))
        await mesh.start("web", IP)
        await mesh.synced("web")
        info = json.loads(mesh.admin("web", "/server_info"))
        assert info["command_line_options"]["concurrency"] == 1
        (envoy,) = meshes.children(mesh.agents["web"].pid)
        mesh.agents["web"].kill()
        await until(lambda: not meshes.alive(envoy), 2.0)
        await until(lambda: mesh.connection("web") is None, 2.0)


async def test_a_terminating_proxy_finishes_what_it_began(tmp_path: Path) -> None:
    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            arrived.set()
            await asyncio.sleep(0.8)
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
            await writer.drain()
        finally:
            writer.close()

    arrived = asyncio.Event()
    app = await asyncio.start_server(slow, "127.0.0.1", 0)
    async with app, meshes.running(tmp_path) as mesh, aiohttp.ClientSession() as session:
        mesh.push("web", plain("127.0.0.1", app.sockets[0].getsockname()[1]))
        await mesh.start("web", IP)
        await mesh.synced("web")
        await wait_ready(session)
        request = asyncio.create_task(session.get(f"http://{IP}:9080/"))
        await arrived.wait()
        mesh.agents["web"].send_signal(signal.SIGTERM)
        response = await request
        assert (response.status, await response.text()) == (200, "ok")
        assert await asyncio.wait_for(mesh.agents["web"].wait(), 5) == 0
        assert "Agent draining" in mesh.log("web")


async def test_a_refused_listener_is_reported_in_envoys_words(tmp_path: Path) -> None:
    async with meshes.running(tmp_path) as mesh:
        good = plain("127.0.0.1", 1)
        mesh.push("web", good)
        await mesh.start("web", IP)
        await mesh.synced("web")
        bad = meshes.http_listener("bad", "not-an-address", 9081, "http")
        mesh.push(
            "web",
            model.Resources(
                good.clusters, good.endpoints, {**good.listeners, "bad": bad}, good.routes
            ),
        )
        await until(lambda: bool(mesh.nacks))
        ((name, type_url, message),) = mesh.nacks
        assert (name, type_url) == ("web.default", types.LDS)
        assert "malformed IP address: not-an-address" in message
        mesh.push("web", good)
        await mesh.synced("web")


@pytest.mark.parametrize("command", [["request", "GET", "ready"], ["wait"]])
async def test_pilot_agent_commands_run_inside_the_container(
    tmp_path: Path, command: list[str]
) -> None:
    async with meshes.running(tmp_path) as mesh:
        mesh.push("web", plain("127.0.0.1", 1))
        await mesh.start("web", IP)
        await mesh.synced("web")
        code = "import sys; from meshcourse.embedded.istiod.agent.command import main; sys.exit(main(sys.argv))"
        process = await asyncio.create_subprocess_exec(
            meshes.sys.executable,
            "-c",
            code,
            *command,
            env=mesh.environment("web", IP, "default"),
            stdout=asyncio.subprocess.PIPE,
        )
        output, _ = await process.communicate()
        assert process.returncode == 0
        assert output == (b"LIVE\n" if command[0] == "request" else b"")
