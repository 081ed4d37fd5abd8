"""`NodeBackend` for the pods of this node: finds the container and refuses in a kubelet's words."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence

from meshcourse.embedded.apiserver.streams.backend import ExecSession, LogOptions
from meshcourse.embedded.kube import refs, status
from meshcourse.embedded.kubelet.logs import reader
from meshcourse.embedded.kubelet.pods import launch
from meshcourse.embedded.kubelet.pods.container import Container
from meshcourse.embedded.kubelet.pods.worker import PodWorker
from meshcourse.embedded.kubelet.processes.client import StartError
from meshcourse.embedded.kubelet.streams import session

_WAITING = {
    "ErrImagePull": "image can't be pulled",
    "ImagePullBackOff": "trying and failing to pull image",
}


class Streams:
    """:param find: the worker of a pod by namespace and name, None if there is none."""

    def __init__(self, find: Callable[[str, str], PodWorker | None]) -> None:
        self._find = find

    async def logs(
        self, namespace: str, pod: str, container: str, options: LogOptions
    ) -> AsyncIterator[bytes]:
        """A container's log in chunks of whole lines.

        :raises ApiError: 400 if the container has not run yet (or not before, with `previous`).
        """
        worker = self._worker(namespace, pod)
        found = _container(worker, container)
        run = _run_wanted(worker, found, options.previous)
        view = worker.view
        directory = view.node.layout.pod_logs(namespace, view.name, view.uid) / container
        live = found.log
        current = live is not None and not live.closed and live.path.name == f"{run}.log"
        path = directory / f"{run}.log"
        async for chunk in reader.read(path, options, live if current else None):
            yield chunk

    async def exec(
        self,
        namespace: str,
        pod: str,
        container: str,
        command: Sequence[str],
        *,
        stdin: bool,
        tty: bool,
    ) -> ExecSession:
        """Run a command in a container's directory and environment.

        :raises ApiError: if the container does not run or the command cannot be started.
        """
        worker = self._worker(namespace, pod)
        found = _container(worker, container)
        if not found.state.running or found.running_spec is None:
            raise status.internal(
                f'unable to upgrade connection: container not found ("{container}")'
            )
        spec = launch.exec_spec(worker.view, found.running_spec, container, command, tty)
        try:
            return await session.execute(worker.view.node.forker, spec, stdin=stdin)
        except StartError as error:
            raise status.internal(
                "error executing command in container: failed to exec in container: failed to start exec: "
                f"OCI runtime exec failed: {error.message}: unknown"
            ) from error

    async def attach(
        self, namespace: str, pod: str, container: str, *, stdin: bool, tty: bool
    ) -> ExecSession:
        """Join a running container's own streams.

        :raises ApiError: if it does not run.
        """
        found = _container(self._worker(namespace, pod), container)
        if found.process is None or found.log is None or not found.process.running:
            raise status.internal(
                f'unable to upgrade connection: container not found ("{container}")'
            )
        return session.Attachment(found.process, found.log, found.terminal)

    async def dial(
        self, namespace: str, pod: str, port: int
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect to a pod's port as from inside the pod: the application first, then whoever has the pod's address.

        :raises ApiError: if nothing listens.
        """
        addresses = self._worker(namespace, pod).view.addresses
        for host, real in dict.fromkeys([addresses.app(port), addresses.pod(port)]):
            try:
                return await asyncio.open_connection(host, real)
            except OSError:
                continue
        raise status.internal(
            f"error forwarding port {port} to pod {pod}: failed to connect to localhost:{port} inside namespace "
            f'"{namespace}": dial tcp4 127.0.0.1:{port}: connect: connection refused'
        )

    def _worker(self, namespace: str, pod: str) -> PodWorker:
        found = self._find(namespace, pod)
        if found is None:
            raise status.not_found(refs.PODS, pod)
        return found


def _container(worker: PodWorker, name: str) -> Container:
    found = worker.container(name)
    if found is None:
        raise status.bad_request(f"container {name} is not valid for pod {worker.view.name}")
    return found


def _run_wanted(worker: PodWorker, container: Container, previous: bool) -> int:
    """The number of the life whose log is meant."""
    current = container.state
    if previous:
        if "terminated" not in current.last_state:
            raise status.bad_request(
                f'previous terminated container "{container.name}" in pod "{worker.view.name}" not found'
            )
        return current.restart_count - (0 if "waiting" in current.state else 1)
    if "waiting" not in current.state:
        return current.restart_count
    if "terminated" in current.last_state:  # waiting for its next start: the last one's
        return current.restart_count - (1 if container.log is None else 0)
    reason = current.state["waiting"].get("reason", "")
    raise status.bad_request(
        f'container "{container.name}" in pod "{worker.view.name}" is waiting to start: '
        f"{_WAITING.get(reason, reason)}"
    )
