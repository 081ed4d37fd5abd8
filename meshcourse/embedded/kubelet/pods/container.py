"""One container: pull, create, start, watch, stop, and start again.

Source: kubelet's SyncPod, startContainer and killContainer (order of steps, events, reasons, messages).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import secrets
import signal
import time
from collections.abc import Callable
from typing import Literal

from meshcourse.embedded.kube import objects
from meshcourse.embedded.kube.objects import Object
from meshcourse.embedded.kubelet import images
from meshcourse.embedded.kubelet.logs import reader
from meshcourse.embedded.kubelet.logs.writer import LogFile
from meshcourse.embedded.kubelet.pods import hooks, launch, state, terminal
from meshcourse.embedded.kubelet.pods.backoff import Backoff
from meshcourse.embedded.kubelet.pods.environment import ConfigError
from meshcourse.embedded.kubelet.pods.state import ContainerState, Role
from meshcourse.embedded.kubelet.pods.view import PodView
from meshcourse.embedded.kubelet.pods.volumes.mounts import mount_all
from meshcourse.embedded.kubelet.probes.prober import Prober
from meshcourse.embedded.kubelet.processes.client import Exit, Process, Spec, StartError

log = logging.getLogger(__name__)

#: How often a container is tried again whose ConfigMap or Secret is missing.
_CONFIG_RETRY = 0.5
#: How often that is told, in seconds.
_CONFIG_EVENT = 10.0
#: How often the catalogue is looked at while an image is missing.
_CATALOGUE_POLL = 0.5
#: How long output may come after the process has ended.
_DRAIN = 1.0
#: A stopped container gets at least this long between SIGTERM and SIGKILL, whatever its preStop hook took.
_MINIMUM_GRACE = 2.0
_MAX_MESSAGE = 4096


class Stopped(Exception):
    """The pod is ending: do not start (again)."""


class Container:
    """The life, or lives, of one container.

    :param changed: called after every change of `state`, which the status writer reads.
    """

    def __init__(
        self, view: PodView, spec: Object, role: Role, changed: Callable[[], None]
    ) -> None:
        self.view = view
        self.spec = spec
        self.name: str = spec["name"]
        self.state = ContainerState(self.name, role, str(spec.get("image") or ""))
        self.state.resources = spec.get("resources") or {}
        self.changed = changed
        self.process: Process | None = None
        self.running_spec: Spec | None = None
        self.log: LogFile | None = None
        self.terminal = terminal.Terminal(spec)
        self.root = view.node.layout.container_root(view.uid, self.name)
        self._stop = asyncio.Event()
        self._pulls = Backoff()
        self._restarts = Backoff()
        self._prober = Prober(self)
        self._replacing: asyncio.Task[None] | None = None

    # -- what the worker calls

    async def supervise(self, again: Callable[[int], bool]) -> int:
        """Live, and live again while `again(exit code)` says so; the last exit code.

        :raises Stopped: if the pod ends first.
        """
        while True:
            code = await self._live()
            if self._stop.is_set():
                raise Stopped
            if not again(code):
                return code
            await self._back_off()

    async def stop(self, grace: float, *, why: str = "Stopping container {name}") -> None:
        """End it for good: preStop hook, SIGTERM, and SIGKILL when `grace` seconds are over."""
        self._stop.set()
        await self.kill(grace, why.format(name=self.name))

    async def kill(self, grace: float, message: str) -> None:
        """End the current process; `supervise` decides about another."""
        process = self.process
        if process is None or not process.running:
            return
        self.tell("Normal", "Killing", message)
        await self._prober.stop(keep_readiness=True)
        deadline = time.monotonic() + grace
        if grace > 0:
            await hooks.pre_stop(self, grace)
        left = max(deadline - time.monotonic(), min(grace, _MINIMUM_GRACE))
        process.signal(signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), left)
        process.kill()
        await process.wait()

    def update(self, spec: Object) -> None:
        """The spec changed: a new image means a new container."""
        different = spec.get("image") != self.spec.get("image")
        self.spec = spec
        if different and self.process is not None and self.process.running:
            message = f"Container {self.name} definition changed, will be restarted"
            grace = float(self.view.spec.get("terminationGracePeriodSeconds") or 30)
            self._replacing = asyncio.create_task(self.kill(grace, message))

    def tell(self, type_: str, reason: str, message: str) -> None:
        """Record an event about this container."""
        kind: Literal["Normal", "Warning"] = "Warning" if type_ == "Warning" else "Normal"
        part = "containers" if self.state.role == "main" else "initContainers"
        self.view.node.recorder.event(
            self.view.pod, kind, reason, message, field_path=f"spec.{part}{{{self.name}}}"
        )

    # -- one life

    async def _live(self) -> int:
        """From pulling the image to the exit code."""
        pulled = await self._pull()
        spec = await self._configure(pulled)
        self.state.container_id = f"meshcourse://{secrets.token_hex(32)}"
        self.state.image, self.state.image_id = pulled.name, pulled.image_id
        try:
            process = await self._start(spec)
        except (StartError, OSError) as error:
            return self._failed_to_start(str(error))
        self._running(process, spec)
        try:
            await self._watch(process)
            ended = await process.wait()
        finally:
            await self._prober.stop()
        return await self._ended(ended)

    async def _watch(self, process: Process) -> None:
        """postStart, then probes."""
        if await hooks.post_start(self):
            self._prober.start()
        else:
            await self.kill(_MINIMUM_GRACE, f"FailedPostStartHook for container {self.name}")

    async def _pull(self) -> images.Pulled:
        while True:
            try:
                return self.view.node.puller.pull(self.spec, self.tell)
            except images.PullError as error:
                await self._pull_failed(error)

    async def _pull_failed(self, error: images.PullError) -> None:
        """ErrImagePull for a moment, then ImagePullBackOff for as long as the back-off says."""
        self.tell("Warning", "Failed", f"Error: {error.reason}")
        self._wait_for(error.reason, error.message)
        if error.reason != "ErrImagePull":
            await self._pause(10)
            return
        self._pulls.next()
        await self._pause(1)
        image = self.spec.get("image")
        self.tell("Normal", "BackOff", f'Back-off pulling image "{image}"')
        self.tell("Warning", "Failed", "Error: ImagePullBackOff")
        self._wait_for(
            "ImagePullBackOff", f'Back-off pulling image "{image}": ErrImagePull: {error.message}'
        )
        await self._pause_for_image(max(self._pulls.peek() - 1, 1))

    async def _pause_for_image(self, seconds: float) -> None:
        """Back off, but not from an image that was added just now."""
        images = self.view.node.puller.catalogue
        known, until = images.stamp, time.monotonic() + seconds
        while time.monotonic() < until and images.stamp == known:
            await self._pause(_CATALOGUE_POLL)

    async def _configure(self, pulled: images.Pulled) -> Spec:
        """Directories, mounts and environment; waits until everything referred to exists."""
        told = -_CONFIG_EVENT
        while True:
            try:
                launch.make_root(self.root, self.spec)
                mount_all(self.view, self.spec, self.root)
                return launch.container_spec(self.view, self.spec, pulled)
            except (ConfigError, OSError) as error:
                message = error.message if isinstance(error, ConfigError) else str(error)
                if time.monotonic() - told >= _CONFIG_EVENT:
                    told = time.monotonic()
                    self.tell("Warning", "Failed", f"Error: {message}")
                self._wait_for("CreateContainerConfigError", message)
                await self._pause(_CONFIG_RETRY)

    async def _start(self, spec: Spec) -> Process:
        if self._stop.is_set():
            raise Stopped
        view = self.view
        directory = view.node.layout.pod_logs(view.namespace, view.name, view.uid) / self.name
        self.log = LogFile(directory / f"{self.state.restart_count}.log")
        _drop_old_logs(directory, self.state.restart_count)
        self.tell("Normal", "Created", "Container created")
        with self.terminal.opened(self.log) as (stdin, stdout, stderr):
            process = await view.node.forker.spawn(spec, stdin, stdout, stderr)
        if self._stop.is_set():  # whoever stopped us meanwhile found no process to end
            process.kill()
        return process

    def _running(self, process: Process, spec: Spec) -> None:
        self.process, self.running_spec = process, spec
        self.view.node.meters.begin(process.pid)
        self.state.state = state.running(objects.now())
        self.state.started = "startupProbe" not in self.spec and not hooks.has_post_start(self.spec)
        self.state.ready = self.state.started and "readinessProbe" not in self.spec
        self.tell("Normal", "Started", "Container started")
        self.changed()

    async def _ended(self, ended: Exit) -> int:
        assert self.log is not None
        await self.log.drain(_DRAIN)
        self.log.close()
        self.terminal.close()
        self._terminated(ended.code, "Completed" if ended.code == 0 else "Error")
        return ended.code

    def _terminated(self, code: int, reason: str, message: str = "") -> None:
        started = (self.state.state.get("running") or {}).get("startedAt") or objects.now()
        self.state.state = state.terminated(
            code,
            reason,
            started_at=started,
            finished_at=objects.now(),
            container_id=self.state.container_id,
            message=message or self._last_words(code),
        )
        self.state.started = False
        self.state.ready = self.state.role == "init" and code == 0
        self.changed()

    def _last_words(self, code: int) -> str:
        """The termination message: its file, or the end of the log where the policy says so."""
        with contextlib.suppress(OSError):
            words = launch.termination_log(self.root, self.spec).read_bytes()[:_MAX_MESSAGE]
            if words:
                return words.decode("utf-8", "replace")
        policy = self.spec.get("terminationMessagePolicy")
        if code and policy == "FallbackToLogsOnError" and self.log is not None:
            return reader.tail(self.log.path, 80, 2048)
        return ""

    def _failed_to_start(self, why: str) -> int:
        message = f"failed to start container: {why}"
        self.tell("Warning", "Failed", f"Error: {message}")
        if self.log is not None:
            self.log.close()
        self.terminal.close()
        self._terminated(128, "StartError", message)
        return 128

    # -- between lives

    async def _back_off(self) -> None:
        """Record the restart and wait for its turn."""
        pause = self._restarts.next()
        last = self.state.state
        if pause > 0:
            self.state.last_state = last
            where = f"container {self.name} in pod {self.view.full_name}"
            self.tell("Warning", "BackOff", f"Back-off restarting failed {where}")
            text = f"back-off {_duration(pause)} restarting failed container={self.name} pod={self.view.full_name}"
            self._wait_for("CrashLoopBackOff", text)
            await self._pause(pause)
        self.state.last_state = last
        self.state.restart_count += 1

    def _wait_for(self, reason: str, message: str) -> None:
        self.state.state = state.waiting(reason, message)
        self.state.ready = self.state.started = False
        self.changed()

    async def _pause(self, seconds: float) -> None:
        """:raises Stopped: when the pod ends meanwhile."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stop.wait(), seconds)
            raise Stopped


def _drop_old_logs(directory: os.PathLike[str], run: int) -> None:
    """Keep this run and the one before."""
    for entry in os.scandir(directory):
        number = entry.name.split(".")[0]
        if number.isdigit() and int(number) < run - 1:
            os.unlink(entry.path)


def _duration(seconds: float) -> str:
    """``10s``, ``1m20s``, ``5m0s``, as Go prints it."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"
