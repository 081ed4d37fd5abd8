"""One pod from its binding to its end: volumes, init containers, sidecars, containers, termination.

Source: kubelet's podWorkers and SyncPod. One task per pod; the object's changes arrive through `update`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Coroutine
from typing import Any

from meshcourse.embedded.kube import objects, refs
from meshcourse.embedded.kube.objects import Object
from meshcourse.embedded.kube.status import ApiError
from meshcourse.embedded.kubelet.pods import resume, status
from meshcourse.embedded.kubelet.pods.container import Container, Stopped
from meshcourse.embedded.kubelet.pods.state import ContainerState, Role
from meshcourse.embedded.kubelet.pods.view import HOST_IP, PodView
from meshcourse.embedded.kubelet.pods.volumes.content import VolumeError
from meshcourse.embedded.kubelet.pods.volumes.manager import VolumeManager
from meshcourse.embedded.kubelet.pods.writer import StatusWriter

log = logging.getLogger(__name__)

_DEFAULT_GRACE = 30.0
#: What is left of the grace period for sidecars when the other containers used it up.
_SIDECAR_GRACE = 2.0
_VOLUME_RETRY = 2.0
#: A reference that is missing may just not have reached our cache yet.
_CACHE_LAG = 0.1


class PodWorker:
    """The life of one pod.

    :param done: called with the worker when nothing of the pod is left to do: it may be forgotten.
    """

    def __init__(self, view: PodView, done: Callable[[PodWorker], None]) -> None:
        self.view = view
        self._done = done
        self._volumes = VolumeManager(view)
        self._writer = StatusWriter(view.node.client, view.pod, self._status)
        spec = view.spec
        self.init = [self._container(c, _role(c)) for c in spec.get("initContainers") or []]
        self.main = [self._container(c, "main") for c in spec.get("containers") or []]
        self._started_at = objects.dig(view.pod, "status.startTime") or objects.now()
        self._sandbox = False
        self._failed: tuple[str, str] | None = None
        self._ending = asyncio.Event()
        self._poked = asyncio.Event()
        self._progress = asyncio.Event()
        self._vanished = False
        self._first: Coroutine[Any, Any, None] | None = None
        self._helpers: set[asyncio.Task[None]] = set()
        self._lives: dict[Container, asyncio.Task[int]] = {}
        self._task: asyncio.Task[None] | None = None
        self._resume()

    # -- what the kubelet calls

    @property
    def containers(self) -> list[Container]:
        """All of them, init containers first."""
        return [*self.init, *self.main]

    def container(self, name: str) -> Container | None:
        return next((c for c in self.containers if c.name == name), None)

    def start(self, first: Coroutine[Any, Any, None] | None = None) -> None:
        """:param first: to be awaited before anything of the pod is started."""
        self._first = first
        self._writer.start()
        self._task = asyncio.create_task(self._run(), name=f"pod {self.view.full_name}")

    def update(self, pod: Object) -> None:
        """The object changed: deletion, a new image, labels that volumes show, readiness gates."""
        old, self.view.pod = self.view.pod, pod
        if objects.deleting(pod):
            self._ending.set()
            return
        if old.get("spec") != pod.get("spec"):
            for container, spec in zip(self.main, self.view.spec["containers"], strict=False):
                container.update(spec)
        if _visible(old) != _visible(pod):
            self.poke()
        if _foreign_conditions(old) != _foreign_conditions(pod):
            self._writer.changed()

    def vanish(self) -> None:
        """The object is gone without waiting for us (a forced deletion)."""
        self._vanished = True
        self._ending.set()

    def poke(self) -> None:
        """Something that volumes or environment refer to changed."""
        self._poked.set()

    async def shut_down(self, grace: float) -> None:
        """The daemon ends: stop the processes and leave the object as it is."""
        await self._writer.stop()
        await self._stop_all(grace)
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    # -- the life of the pod

    async def _run(self) -> None:
        living = asyncio.create_task(self._live(), name=f"live {self.view.full_name}")
        try:
            await self._ending.wait()
            await self._terminate()
        except Exception:
            log.exception("end of pod %s", self.view.full_name)
        finally:
            living.cancel()
            await asyncio.gather(living, return_exceptions=True)
        self._done(self)

    async def _live(self) -> None:
        """Everything up to the end of the last container."""
        if resume.finished(self.view.pod):
            return
        self._writer.changed()
        try:
            if self._first is not None:
                await self._first
            await self._set_up_volumes()
            self._sandbox = True
            if await self._initialize():
                await self._run_main()
            await self._stop_containers(self._sidecars(), self._grace())
        except Stopped:
            return
        except Exception:
            log.exception("pod %s", self.view.full_name)
        self._writer.changed()

    async def _set_up_volumes(self) -> None:
        pause = _CACHE_LAG
        while not self._ending.is_set():
            self._poked.clear()
            try:
                await self._volumes.set_up()
                return
            except (VolumeError, OSError) as error:
                if pause != _CACHE_LAG:
                    message = error.message if isinstance(error, VolumeError) else str(error)
                    self._tell("Warning", "FailedMount", message)
            await self._any(self._poked, self._ending, timeout=pause)
            pause = _VOLUME_RETRY
        raise Stopped

    async def _initialize(self) -> bool:
        """Run init containers one after the other; False if one failed for good."""
        for container in self.init:
            if (
                container.state.exit_code is not None
            ):  # ended for good before a restart of the daemon
                if container.state.exit_code != 0:
                    return False
                continue
            life = self._supervise(container)
            if container.state.role == "sidecar":
                await self._until_started(container, life)
            elif await life != 0:
                return False
        return True

    async def _until_started(self, container: Container, life: asyncio.Task[int]) -> None:
        life.add_done_callback(lambda _: self._progress.set())
        while not container.state.started:
            if life.done():
                await life
            self._progress.clear()
            await self._progress.wait()

    async def _run_main(self) -> None:
        self._help(self._keep_volumes())
        deadline = self.view.spec.get("activeDeadlineSeconds")
        if deadline:
            self._help(self._fail_after(float(deadline)))
        lives = [self._supervise(c) for c in self.main if c.state.exit_code is None]
        for result in await asyncio.gather(*lives, return_exceptions=True):
            if isinstance(result, BaseException):
                raise result

    def _supervise(self, container: Container) -> asyncio.Task[int]:
        self._lives[container] = asyncio.create_task(
            container.supervise(lambda code: self._again(container.state, code)),
            name=f"container {container.name} of {self.view.full_name}",
        )
        return self._lives[container]

    def _again(self, container: ContainerState, code: int) -> bool:
        """Whether the restart policy wants another life."""
        if self._failed is not None:
            return False
        if container.role == "sidecar":
            return True
        policy = self.view.spec.get("restartPolicy") or "Always"
        if container.role == "init":
            return code != 0 and policy != "Never"
        return bool(policy == "Always" or (policy == "OnFailure" and code != 0))

    # -- the end

    async def _terminate(self) -> None:
        """Deleted: stop everything, publish the last status, remove the object and what lies on disk."""
        await self._stop_all(self._grace())
        if not self._vanished:
            self._writer.changed()
            await self._writer.flush()
        await self._writer.stop()
        view = self.view
        await asyncio.to_thread(view.node.layout.forget, view.namespace, view.name, view.uid)
        if not self._vanished:
            await self._remove_object()

    async def _stop_all(self, grace: float) -> None:
        """Stop all containers; sidecars last, in reverse order, so that the others can use them to the end."""
        for task in list(self._helpers):
            task.cancel()
        await asyncio.gather(*self._helpers, return_exceptions=True)
        began = time.monotonic()
        sidecars = self._sidecars()
        await self._stop_containers([c for c in self.containers if c not in sidecars], grace)
        for sidecar in reversed(sidecars):
            left = max(grace - (time.monotonic() - began), min(grace, _SIDECAR_GRACE))
            await self._stop_containers([sidecar], left)

    async def _stop_containers(self, containers: list[Container], grace: float) -> None:
        await asyncio.gather(*(container.stop(grace) for container in containers))
        lives = [self._lives[c] for c in containers if c in self._lives]
        await asyncio.gather(*lives, return_exceptions=True)

    async def _remove_object(self) -> None:
        view = self.view
        try:
            await view.node.client.delete(
                refs.PODS, view.name, view.namespace, grace_seconds=0, uid=view.uid
            )
        except ApiError as error:
            if error.code not in (404, 409):
                log.warning("delete of %s: %s", view.full_name, error.message)

    def _grace(self) -> float:
        if self._vanished:
            return 1.0
        found = objects.dig(self.view.pod, "metadata.deletionGracePeriodSeconds")
        if found is None:
            found = self.view.spec.get("terminationGracePeriodSeconds", _DEFAULT_GRACE)
        return float(found)

    # -- while it runs

    async def _keep_volumes(self) -> None:
        """Bring files up to date when something changed or a token gets old."""
        while True:
            await self._any(self._poked, timeout=self._volumes.next_renewal())
            self._poked.clear()
            try:
                await self._volumes.set_up()
            except (VolumeError, OSError) as error:
                log.debug("volumes of %s: %s", self.view.full_name, error)

    async def _fail_after(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        message = "Pod was active on the node longer than the specified deadline"
        self._failed = ("DeadlineExceeded", message)
        self._tell("Normal", "DeadlineExceeded", message)
        await self._stop_containers([*self.main, *self._sidecars()], self._grace())
        self._writer.changed()

    def _help(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work, name=f"helper of {self.view.full_name}")
        self._helpers.add(task)
        task.add_done_callback(self._helpers.discard)

    @staticmethod
    async def _any(*events: asyncio.Event, timeout: float | None) -> None:
        """Wait until one of the events is set, or for so many seconds."""
        waits = [asyncio.create_task(event.wait()) for event in events]
        try:
            await asyncio.wait(waits, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.gather(*waits, return_exceptions=True)

    # -- state

    def _container(self, spec: Object, role: Role) -> Container:
        return Container(self.view, spec, role, self._changed)

    def _changed(self) -> None:
        self._progress.set()
        self._writer.changed()

    def _sidecars(self) -> list[Container]:
        return [c for c in self.init if c.state.role == "sidecar"]

    def _tell(self, type_: str, reason: str, message: str) -> None:
        self.view.node.recorder.event(
            self.view.pod, "Warning" if type_ == "Warning" else "Normal", reason, message
        )

    def _resume(self) -> None:
        """Start from what the object says: nothing for a new pod, lost containers after a restart of the daemon."""
        lost = resume.states(
            self.view.pod, [container.state for container in self.containers], self._again
        )
        if lost:
            message = "Pod sandbox changed, it will be killed and re-created."
            self._tell("Normal", "SandboxChanged", message)

    def _status(self) -> Object:
        return status.render(
            status.PodFacts(
                spec=self.view.spec,
                init=[c.state for c in self.init],
                main=[c.state for c in self.main],
                old_conditions=objects.dig(self.view.pod, "status.conditions", []),
                sandbox=self._sandbox,
                deleting=self._ending.is_set(),
                failed=self._failed,
                extra=self._extra(),
            ),
            objects.now(),
        )

    def _extra(self) -> Object:
        address = self.view.addresses.pod_ip
        return {
            "hostIP": HOST_IP,
            "hostIPs": [{"ip": HOST_IP}],
            "podIP": address,
            "podIPs": [{"ip": address}],
            "startTime": self._started_at,
        }


def _role(spec: Object) -> Role:
    return "sidecar" if spec.get("restartPolicy") == "Always" else "init"


def _visible(pod: Object) -> tuple[Object, Object]:
    """What the downward API shows and may change."""
    return dict(objects.labels(pod)), dict(objects.annotations_of(pod))


def _foreign_conditions(pod: Object) -> list[Object]:
    return [c for c in objects.dig(pod, "status.conditions", []) if c["type"] not in status.OWNED]
