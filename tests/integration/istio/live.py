"""A mesh of real Envoys without a cluster: translated configuration, real certificates, echoing
applications.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import re
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
from multidict import CIMultiDictProxy

from meshcourse.embedded.istiod.xds.delivery import Timing
from meshcourse.embedded.kube import refs
from meshcourse.embedded.kube.objects import Key
from tests.integration.istiod import mesh as control
from tests.unit.istio.mesh import Mesh


@dataclass
class Answer:
    """What a request came back with; `body` is the echo (dict) or text."""

    status: int
    headers: dict[str, str]
    body: Any

    @property
    def version(self) -> str:
        return str(self.body["version"])


@dataclass(repr=False)
class Live:
    """Objects in `mesh`, Envoys under `plane`; `push` makes them meet."""

    mesh: Mesh
    plane: control.Mesh
    session: aiohttp.ClientSession
    stack: contextlib.AsyncExitStack
    pods: dict[str, Key] = field(default_factory=dict)
    seen: list[tuple[str, dict[str, str], str]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    #: Further variables of the agents, for example ``PROXY_CONFIG``.
    environment: dict[str, str] = field(default_factory=dict)

    async def pod(
        self, app: str, version: str = "v1", *, port: int = 9080, tcp: bool = False, **more: Any
    ) -> str:
        """A pod with a sidecar (or `proxy=""`, "router") and an application that echoes."""
        name = self.mesh.pod(app, version, port=port, **more)
        namespace = more.get("namespace", "default")
        await self.adopt(name, namespace)
        workload = self.mesh.snapshot().workloads[Key(namespace, name)]
        host, number = (
            workload.addresses.app(port) if workload.proxy else workload.addresses.pod(port)
        )
        if workload.proxy != "router":
            start = self.line_echo if tcp else self.application
            await start(name, app, version, host, number)
        return name

    async def adopt(self, name: str, namespace: str) -> None:
        """Starts the agent of a pod that is in the mesh already."""
        workload = self.mesh.snapshot().workloads[Key(namespace, name)]
        if not workload.proxy:
            return
        self.pods[name] = Key(namespace, name)
        account = workload.service_account
        await self.plane.start(
            name,
            workload.addresses.pod_ip,
            account,
            token=f"token/{namespace}/{account}",
            POD_NAMESPACE=namespace,
            ISTIO_META_WORKLOAD_NAME=workload.workload,
            **self.environment,
        )

    async def application(
        self,
        pod: str,
        app: str,
        version: str,
        host: str,
        port: int,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        """An echo at an address, for example one outside of the mesh."""

        async def echo(request: web.Request) -> web.Response:
            headers = _joined(request.headers)
            self.seen.append((pod, headers, request.path_qs))
            if data := await request.read():
                self.bodies.append(data)
            wanted = headers.get("x-answer", "200")
            body = {
                "pod": pod,
                "app": app,
                "version": version,
                "method": request.method,
                "path": request.path_qs,
                "headers": headers,
                "peer": _peer(request),
            }
            await asyncio.sleep(float(headers.get("x-sleep", "0")))
            shown = dict(one.split("=") for one in headers.get("x-show", "").split(",") if one)
            return web.json_response(body, status=int(wanted), headers=shown)

        application = web.Application()
        application.router.add_route("*", "/{tail:.*}", echo)
        runner = web.AppRunner(application, access_log=None)
        await runner.setup()
        self.stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, host, port, ssl_context=ssl_context).start()

    async def line_echo(self, pod: str, app: str, version: str, host: str, port: int) -> None:
        """Answers each line with the pod's version before it."""

        async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while line := await reader.readline():
                writer.write(f"{version} ".encode() + line)
                await writer.drain()
            writer.close()

        server = await asyncio.start_server(echo, host, port)
        self.stack.callback(server.close)

    async def say(self, pod: str, target: str, text: str) -> str:
        """One line to `target` (host:port) by CONNECT through the sidecar; "" if refused."""
        workload = self.mesh.snapshot().workloads[self.pods[pod]]
        reader, writer = await asyncio.open_connection(*workload.addresses.app(15001))
        try:
            request = f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n"
            writer.write(request.encode())
            head = await reader.readuntil(b"\r\n\r\n")
            if b" 200 " not in head.splitlines()[0]:
                return ""
            writer.write(f"{text}\n".encode())
            return (await reader.readline()).decode().strip()
        except (ConnectionError, asyncio.IncompleteReadError):
            return ""
        finally:
            writer.close()

    async def line(self, host: str, port: int, text: str) -> str:
        """The answer to one line over a plain connection."""
        reader, writer = await asyncio.open_connection(host, port)
        try:
            writer.write(f"{text}\n".encode())
            return (await reader.readline()).decode().strip()
        finally:
            writer.close()

    async def kube_proxy(self) -> None:
        """Cluster IPs that work: each forwards to the first endpoint of its service."""
        snapshot = self.mesh.snapshot()
        for key, service in snapshot.services.items():
            for port, host, number in service.virtual:
                found = snapshot.endpoints[key].get(port, ())
                if found:
                    target = (found[0].address, found[0].port)
                    handler = functools.partial(_forward, target)
                    server = await asyncio.start_server(handler, host, number)
                    self.stack.callback(server.close)

    async def push(self, timeout: float = 20.0) -> None:
        """Translate for every proxy and wait until all have acknowledged."""
        for name, key in self.pods.items():
            self.plane.push(name, self.mesh.resources(name, key.namespace))
        try:
            await self.plane.synced(*self.pods, timeout=timeout)
        except TimeoutError as error:
            late = [pod for pod in self.pods if not self._synced(pod)]
            text = f"not acknowledged by {late}; refused: {self.plane.nacks}"
            raise AssertionError(text) from error
        assert not self.plane.nacks, self.plane.nacks

    def _synced(self, pod: str) -> bool:
        connection = self.plane.connection(pod)
        return connection is not None and connection.delivery.all_synced()

    async def apply(self, text: str) -> None:
        """Apply YAML and push."""
        self.mesh.apply(text)
        await self.push()

    async def get(self, pod: str, url: str, **more: Any) -> Answer:
        """A request of the application in `pod`, through its sidecar."""
        workload = self.mesh.snapshot().workloads[self.pods[pod]]
        host, port = workload.addresses.app(15001)
        return await self.fetch(url, proxy=f"http://{host}:{port}", **more)

    async def fetch(self, url: str, *, method: str = "GET", **more: Any) -> Answer:
        """A request without a sidecar."""
        more.setdefault("allow_redirects", False)
        async with self.session.request(method, url, **more) as response:
            text = await response.text()
            headers = _joined(response.headers)
            is_json = headers.get("content-type", "").startswith("application/json")
            body = await response.json() if is_json else text
            return Answer(response.status, headers, body)

    def named(self, prefix: str) -> str:
        """The pod whose name begins so."""
        return next(name for name in self.pods if name.startswith(prefix))

    def stat(self, pod: str, name: str) -> int:
        """A counter or gauge of a pod's Envoy; 0 if it does not exist (yet)."""
        text = self.plane.admin(pod, f"/stats?filter=^{re.escape(name)}$").decode()
        return int(text.rpartition(": ")[2] or 0)

    def metrics(self, pod: str, name: str) -> list[tuple[dict[str, str], float]]:
        """Labels and values of an Istio metric as Envoy counts it."""
        text = self.plane.admin(pod, "/stats/prometheus?filter=wasmcustom").decode()
        prefix = f"envoy_wasmcustom_{name}"
        found = []
        for line in text.splitlines():
            if line.startswith(prefix + "{"):
                labels, value = line.removeprefix(prefix)[1:].rsplit("} ", 1)
                pairs = (one.split("=", 1) for one in labels.split('",'))
                found.append(({key: text.strip('"') for key, text in pairs}, float(value)))
        return found


@contextlib.asynccontextmanager
async def running(folder: Path, network: str) -> AsyncIterator[Live]:
    """An empty mesh on a loopback network of its own, for example ``127.122``."""
    async with (
        control.running(folder, Timing(grace=0.02)) as plane,
        contextlib.AsyncExitStack() as stack,
        aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(20),
            # A kept connection would stay with the listener that it was made to.
            connector=aiohttp.TCPConnector(force_close=True),
        ) as session,
    ):
        yield Live(Mesh(network), plane, session, stack)


def _joined(headers: CIMultiDictProxy[str]) -> dict[str, str]:
    """Headers by lower-case name; several of one name with commas between."""
    return {key.lower(): ",".join(headers.getall(key)) for key in headers}


def _peer(request: web.Request) -> int:
    """The port that a request came from: equal ones are one connection."""
    peer = request.transport.get_extra_info("peername") if request.transport else None
    return int(peer[1]) if peer else 0


def endpoints_of(mesh: Mesh) -> int:
    """How many EndpointSlices there are (guards tests against empty meshes)."""
    return len(mesh.objects.get(refs.ENDPOINTSLICES, ()))


async def _forward(
    target: tuple[str, int], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    far_reader, far_writer = await asyncio.open_connection(*target)
    await asyncio.gather(_copy(reader, far_writer), _copy(far_reader, writer))


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.close()
