"""An API server that is killed in the middle of writes: whatever it has acknowledged is there again."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from meshcourse.embedded.client.http import HttpClient
from meshcourse.embedded.kube import objects, refs
from meshcourse.embedded.kube.objects import Object
from meshcourse.embedded.kube.status import ApiError

_PROGRAM = """
import asyncio, sys
from pathlib import Path
from meshcourse.embedded.apiserver.server import Server

async def main():
    server = Server(Path(sys.argv[1]), "crash", cluster_number=97)
    await server.start()
    print(server.url, flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await server.stop()

asyncio.run(main())
"""


@contextlib.contextmanager
def running(state: Path) -> Iterator[subprocess.Popen[str]]:
    """A server in a process of its own, which ends with its standard input."""
    process = subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, str(state)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("https://127.0.0.1:")
        yield process
        assert process.stdin is not None
        process.stdin.close()
        process.wait(20)


def configmap(number: int) -> Object:
    meta = {"name": f"n{number:04}", "namespace": "default"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"n": str(number)}}


async def write_until_it_dies(kubeconfig: Path, written: dict[str, Object]) -> None:
    async with HttpClient.from_kubeconfig(kubeconfig) as client:
        with contextlib.suppress(ApiError):
            for number in range(100_000):
                made = await client.create(refs.CONFIGMAPS, configmap(number))
                written[objects.name(made)] = made


async def test_kill_minus_nine(tmp_path: Path) -> None:
    written: dict[str, Object] = {}
    kubeconfig = tmp_path / "kubeconfig"
    with running(tmp_path) as process:
        writers = asyncio.create_task(write_until_it_dies(kubeconfig, written))
        while len(written) < 200:
            await asyncio.sleep(0.01)
        os.kill(process.pid, signal.SIGKILL)
        await asyncio.wait_for(writers, 10)
    last = max(int(obj["metadata"]["resourceVersion"]) for obj in written.values())
    with running(tmp_path):
        async with HttpClient.from_kubeconfig(kubeconfig) as client:  # the same URL and token
            found = await client.list(refs.CONFIGMAPS, "default")
            stored = {objects.name(obj): obj for obj in found.items}
            assert {name: stored.get(name) for name in written} == written
            assert len(stored) - len(written) <= 1  # one more may have been on its way
            assert int(found.resource_version) >= last
            fresh = await client.create(refs.CONFIGMAPS, configmap(100_000))
            assert int(fresh["metadata"]["resourceVersion"]) > int(found.resource_version)
