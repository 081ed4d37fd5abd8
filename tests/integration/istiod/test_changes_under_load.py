"""Zero lost requests while weights flip and subsets come and go, measured at a real Envoy."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from pathlib import Path

import aiohttp

from meshcourse.embedded.istio import model
from meshcourse.embedded.istiod.xds import types
from meshcourse.embedded.istiod.xds.delivery import Timing
from tests.integration.istiod import mesh as meshes
from tests.integration.istiod.mesh import Mesh, until

IP = "127.157.8.1"
LISTENER = meshes.http_listener("http", IP, 9080, "http")


class Load:
    """Requests as fast as four workers can, counted by status."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self.counts: Counter[int] = Counter()
        self._session = session
        self._stop = False

    async def worker(self) -> None:
        while not self._stop:
            async with self._session.get(f"http://{IP}:9080/") as response:
                await response.read()
                self.counts[response.status] += 1

    async def __aenter__(self) -> Load:
        self._tasks = [asyncio.create_task(self.worker()) for _ in range(4)]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._stop = True
        await asyncio.gather(*self._tasks)


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


def with_subsets(
    port: int, weights: dict[str, int], extra: tuple[str, ...] = ()
) -> model.Resources:
    names = (*weights, *extra)
    return model.Resources(
        clusters={name: meshes.eds_cluster(name) for name in names},
        endpoints={name: meshes.assignment(name, ("127.0.0.1", port)) for name in names},
        listeners={"http": LISTENER},
        routes={"http": meshes.weighted_route("http", weights)},
    )


async def test_no_request_is_lost(tmp_path: Path) -> None:
    app = await asyncio.start_server(echo, "127.0.0.1", 0)
    port = app.sockets[0].getsockname()[1]
    connector = aiohttp.TCPConnector(limit=8)
    async with (
        app,
        meshes.running(tmp_path, Timing(grace=0.05)) as mesh,
        aiohttp.ClientSession(connector=connector) as session,
    ):
        mesh.push("web", with_subsets(port, {"v1": 100, "v2": 1}))
        await mesh.start("web", IP)
        await mesh.synced("web")
        async with Load(session) as load:
            await until(lambda: load.counts[200] > 50)
            flips = [await acknowledged(mesh, port, {"v1": w, "v2": 100 - w}) for w in range(1, 30)]
            subsets = [await add_and_remove(mesh, port, f"v3-{n}") for n in range(8)]
        app.close()
    print(
        f"{sum(load.counts.values())} requests; weight flip acknowledged after max {max(flips):.3f} s;"
    )
    print(f"subset added after max {max(subsets):.3f} s")
    assert set(load.counts) == {200}
    assert load.counts[200] > 300
    assert not mesh.nacks


async def acknowledged(mesh: Mesh, port: int, weights: dict[str, int]) -> float:
    began = time.monotonic()
    mesh.push("web", with_subsets(port, weights))
    await mesh.synced("web")
    return time.monotonic() - began


async def add_and_remove(mesh: Mesh, port: int, name: str) -> float:
    """Route half of the traffic to a subset that did not exist before, then take it away again."""
    took = await acknowledged(mesh, port, {"v1": 50, name: 50})
    await acknowledged(mesh, port, {"v1": 50, "v2": 50})
    connection = mesh.connection("web")
    assert connection is not None
    clusters = connection.delivery.channels[types.CDS]
    await until(lambda: name not in clusters.acked)
    return took
