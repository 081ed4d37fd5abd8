"""A control plane without a cluster: CA, ADS and agents with real Envoys, for tests of what happens between them."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from meshcourse.embedded.istio import model
from meshcourse.embedded.istiod import https
from meshcourse.embedded.istiod.agent import admin
from meshcourse.embedded.istiod.ca import authority, signer, tokens
from meshcourse.embedded.istiod.xds import credentials, encode, server
from meshcourse.embedded.istiod.xds.connection import Connection
from meshcourse.embedded.istiod.xds.delivery import Timing

NAMES = ("istiod.istio-system.svc", "localhost")
T = "type.googleapis.com/envoy."


class FakeApi:
    """Answers TokenReviews: the token `token-NAMESPACE-ACCOUNT` is that service account's, for istiod only."""

    async def create(self, _resource: Any, review: dict[str, Any], **_: Any) -> dict[str, Any]:
        parts = review["spec"]["token"].split("/")
        good = len(parts) == 3 and parts[0] == "token"
        status: dict[str, Any] = {"authenticated": good}
        if good:
            user = {"username": f"system:serviceaccount:{parts[1]}:{parts[2]}"}
            status |= {"audiences": review["spec"]["audiences"], "user": user}
        return {**review, "status": status}


class Mesh:
    """Owns the servers and the agents' processes."""

    def __init__(self, directory: Path, timing: Timing | None = None) -> None:
        self.directory = directory
        self.root = authority.create(dt.datetime.now(dt.UTC))
        self.lifetimes = signer.Lifetimes()
        self.nacks: list[tuple[str, str, str]] = []
        self.resources: dict[str, model.Resources] = {}
        self.cache = encode.ResourceCache()
        self.version = 0
        self.changed = asyncio.Event()
        self.ads = server.AdsServer(self._on_change, self._on_nack, timing)
        self.agents: dict[str, asyncio.subprocess.Process] = {}
        self.xds_port = self.https_port = self.proxy_port = 0

    def _on_change(self, connection: Connection, connected: bool) -> None:
        if connected:
            self._aim(connection)

    def _on_nack(self, connection: Connection, type_url: str, message: str) -> None:
        self.nacks.append((connection.node.name, type_url, message))

    def _aim(self, connection: Connection) -> None:
        resources = self.resources.get(connection.node.pod)
        if resources is not None:
            target = self.cache.target(resources, str(self.version), time.monotonic())
            connection.retarget(target)

    def push(self, pod: str, resources: model.Resources) -> None:
        self.resources[pod] = resources
        self.version += 1
        self.cache.age()
        for connection in self.ads.connections.values():
            if connection.node.pod == pod:
                self._aim(connection)

    def connection(self, pod: str) -> Connection | None:
        found = [one for one in self.ads.connections.values() if one.node.pod == pod]
        return found[-1] if found else None

    async def synced(self, *pods: str, timeout: float = 20.0) -> None:
        def done() -> bool:
            found = [self.connection(pod) for pod in pods]
            return all(one is not None and one.delivery.all_synced() for one in found)

        await until(done, timeout)

    async def serve(self, stack: contextlib.AsyncExitStack) -> None:
        serving = credentials.ServingCertificate(self.root, NAMES)
        secure = credentials.mutual_tls(self.root, serving)
        self.xds_port = await self.ads.start("127.0.0.1", 0, secure)
        stack.push_async_callback(self.ads.stop, 0.1)
        reviewer = tokens.TokenReviewer(FakeApi(), "cluster.local")  # type: ignore[arg-type]
        endpoint = https.CertificateEndpoint(
            signer.Signer(self.root, self.lifetimes), reviewer, lambda: ("127.0.0.1", self.xds_port)
        )
        front = https.HttpsServer(serving, {https.CREATE_CERTIFICATE: endpoint.handle})
        self.https_port = await front.start("127.0.0.1", 0)
        stack.push_async_callback(front.stop)
        tunnel = await asyncio.start_server(self._tunnel, "127.0.0.1", 0)
        self.proxy_port = tunnel.sockets[0].getsockname()[1]
        stack.callback(tunnel.close)

    async def _tunnel(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """The node's forward proxy: every name is istiod."""
        async with _closing(writer):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.https_port)
            async with _closing(far_writer):
                await asyncio.gather(_pump(reader, far_writer), _pump(far_reader, writer))

    def root_of(self, pod: str) -> Path:
        return self.directory / pod

    def environment(self, pod: str, ip: str, account: str, **more: str) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "MESHCOURSE_ROOT": str(self.root_of(pod)),
            "MESHCOURSE_POD_IP": ip,
            "MESHCOURSE_APP_IP": ip,
            "POD_NAME": pod,
            "POD_NAMESPACE": "default",
            "SERVICE_ACCOUNT": account,
            "https_proxy": f"http://127.0.0.1:{self.proxy_port}",
            **more,
        }

    async def start(self, pod: str, ip: str, account: str = "default", **more: str) -> None:
        """Run an agent, as the kubelet would; its log goes to the test's output."""
        root = self.root_of(pod)
        for path in ("etc/istio/proxy", "var/run/secrets/istio", "var/run/secrets/tokens"):
            (root / path).mkdir(parents=True, exist_ok=True)
        (root / "var/run/secrets/istio/root-cert.pem").write_text(self.root.root)
        token = more.pop("token", f"token/default/{account}")
        (root / "var/run/secrets/tokens/istio-token").write_text(token)
        code = "import sys; from meshcourse.embedded.istiod.agent.main import main; sys.exit(main(sys.argv))"
        log = (root / "log").open("wb")
        with log:
            self.agents[pod] = await asyncio.create_subprocess_exec(
                sys.executable,
                "-c",
                code,
                "proxy",
                "sidecar",
                cwd=root,
                env=self.environment(pod, ip, account, **more),
                stdout=log,
                stderr=log,
            )

    def log(self, pod: str) -> str:
        return (self.root_of(pod) / "log").read_text()

    def admin(self, pod: str, url: str, method: str = "GET") -> bytes:
        """Ask a proxy's Envoy (through a short link: socket paths are limited)."""
        link = Path(f"/tmp/mc-{os.getpid()}-{pod}")
        link.unlink(missing_ok=True)
        link.symlink_to(self.root_of(pod) / "etc/istio/proxy")
        try:
            return admin.call(link / "admin.sock", method, url)[1]
        finally:
            link.unlink()

    async def stop(self) -> None:
        """Kill the agents, and wait for their Envoys too: the next test uses the same addresses."""
        running = [one for one in self.agents.values() if one.returncode is None]
        envoys = [pid for one in running for pid in children(one.pid)]
        for process in running:
            process.send_signal(signal.SIGKILL)
        await asyncio.gather(*(process.wait() for process in self.agents.values()))
        await until(lambda: not any(map(alive, envoys)))


def children(pid: int) -> list[int]:
    try:
        return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:  # gone meanwhile
        return []


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@contextlib.asynccontextmanager
async def _closing(writer: asyncio.StreamWriter) -> AsyncIterator[None]:
    """Close a connection whatever happens; one that breaks is the other side's business."""
    try:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            yield
    finally:
        writer.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(1 << 16):
        writer.write(data)
        await writer.drain()
    writer.close()


async def until(condition: Callable[[], bool], timeout: float = 20.0) -> None:
    """Wait for a condition that an event elsewhere makes true."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{condition} did not become true in {timeout} s")
        await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def running(directory: Path, timing: Timing | None = None) -> AsyncIterator[Mesh]:
    mesh = Mesh(directory, timing)
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(mesh.stop)
        await mesh.serve(stack)
        yield mesh


# -- small configurations --------------------------------------------------------------------------


def address(host: str, port: int) -> dict[str, Any]:
    return {"socket_address": {"address": host, "port_value": port}}


def eds_cluster(name: str) -> dict[str, Any]:
    ads = {"ads": {}, "resource_api_version": "V3", "initial_fetch_timeout": "0s"}
    return {
        "name": name,
        "type": "EDS",
        "connect_timeout": "1s",
        "eds_cluster_config": {"eds_config": ads},
    }


def assignment(name: str, *where: tuple[str, int]) -> dict[str, Any]:
    endpoints = [{"endpoint": {"address": address(*one)}} for one in where]
    return {"cluster_name": name, "endpoints": [{"lb_endpoints": endpoints}]}


def http_listener(name: str, host: str, port: int, route: str) -> dict[str, Any]:
    ads = {"ads": {}, "resource_api_version": "V3", "initial_fetch_timeout": "0s"}
    manager = {
        "@type": f"{T}extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": name,
        "rds": {"route_config_name": route, "config_source": ads},
        "http_filters": [
            {
                "name": "router",
                "typed_config": {"@type": f"{T}extensions.filters.http.router.v3.Router"},
            }
        ],
    }
    return {
        "name": name,
        "address": address(host, port),
        "enable_reuse_port": False,
        "filter_chains": [{"filters": [{"name": "hcm", "typed_config": manager}]}],
    }


def weighted_route(name: str, weights: dict[str, int]) -> dict[str, Any]:
    clusters = [{"name": cluster, "weight": weight} for cluster, weight in weights.items()]
    action = {"weighted_clusters": {"clusters": clusters}, "timeout": "5s"}
    routes = [{"match": {"prefix": "/"}, "route": action}]
    return {
        "name": name,
        "validate_clusters": False,
        "virtual_hosts": [{"name": "all", "domains": ["*"], "routes": routes}],
    }
