"""The daemon: API server, controllers and kubelet in one process, as k3s does it.

gRPC is never imported here (the fork server must fork before gRPC starts threads, and so must this process stay clean).
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import logging
import os
import resource
import signal
import time
from urllib.parse import urlsplit

from meshcourse import versions
from meshcourse.embedded.daemon import census, numbers, state
from meshcourse.errors import MeshcourseError

#: Open files that a full node may need.
_FILES = 16384

log = logging.getLogger("meshcourse.daemon")


class Progress:
    """Tells the launcher, through an inherited pipe, what was done and how long it took."""

    def __init__(self, descriptor: int) -> None:
        self._file = os.fdopen(descriptor, "w", buffering=1)
        self._since = time.monotonic()

    def done(self, stage: str) -> None:
        """The stage that began with the previous call (or with the process) is over."""
        now = time.monotonic()
        self._write({"stage": stage, "seconds": round(now - self._since, 3)})
        self._since = now

    def ready(self) -> None:
        self._write({"ready": True})
        with contextlib.suppress(OSError):
            self._file.close()

    def _write(self, message: dict[str, object]) -> None:
        # A launcher that was interrupted no longer listens; the cluster comes up all the same.
        with contextlib.suppress(BrokenPipeError):
            self._file.write(json.dumps(message) + "\n")


def run(name: str, progress_fd: int) -> int:
    """Run the cluster until SIGTERM or SIGINT; the exit code."""
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    own = state.of(name)
    own.make()
    os.chdir(own.directory)
    os.environ[census.MARKER] = str(own.directory)
    os.umask(0o077)
    _raise_file_limit()
    state.write_atomic(own.pid_file, f"{os.getpid()}\n")
    try:
        asyncio.run(_serve(own, Progress(progress_fd)))
    except Exception:
        log.exception("the cluster cannot run")
        return 1
    finally:
        own.pid_file.unlink(missing_ok=True)
    return 0


async def _serve(own: state.State, progress: Progress) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with contextlib.AsyncExitStack() as stack:
        cluster_number = stack.enter_context(numbers.claimed(own))
        state.write_atomic(own.info_file, json.dumps({"number": cluster_number, "ready": False}))
        url = await _bring_up(own, cluster_number, progress, stack)
        gc.collect()
        gc.freeze()  # what is loaded now stays; do not scan it again and again
        _publish(own, cluster_number, url)
        progress.ready()
        log.info("cluster %s is ready at %s", own.name, url)
        await stop.wait()
        log.info("stopping")


async def _bring_up(
    own: state.State, number: int, progress: Progress, stack: contextlib.AsyncExitStack
) -> str:
    """Start the parts in order; `stack` stops them in reverse. Returns the API server's URL."""
    _check_inotify()
    # The fork server warms up in parallel with everything else, so it goes first.
    from meshcourse.embedded.daemon import images
    from meshcourse.embedded.kubelet.processes.client import Forker

    forker = Forker(own.name, images.preload(), own.directory / "forkserver.log")
    forker.start()
    stack.push_async_callback(forker.close)
    from meshcourse.embedded.apiserver import server as servers
    from meshcourse.embedded.controllers import manager as managers
    from meshcourse.embedded.controllers.context import Options
    from meshcourse.embedded.kubelet import addressing

    server = servers.Server(own.directory, own.name, cluster_number=number)
    await server.start()
    stack.push_async_callback(server.stop)
    progress.done("API server")
    manager = managers.Manager(
        server.local("system:kube-controller-manager"),
        cluster_number=number,
        options=Options(
            root_ca=server.ca_path.read_text(),
            addresses_per_service=addressing.plan(number).mode == "addresses",
        ),
    )
    await manager.start()
    stack.push_async_callback(manager.stop)
    progress.done("controllers")
    from meshcourse.embedded.kubelet import kubelet as kubelets

    images.install_programs(own.directory)
    address = urlsplit(server.url)
    kubelet = kubelets.Kubelet(
        server.local("system:node:embedded"),
        state_dir=own.directory,
        cluster_name=own.name,
        cluster_number=number,
        catalogue=images.catalogue(own.directory),
        forker=forker,
        api_address=(str(address.hostname), address.port or 443),
    )
    server.backend = kubelet
    await kubelet.start()
    stack.push_async_callback(kubelet.stop)
    progress.done("kubelet")
    return server.url


def _check_inotify() -> None:
    """:raises MeshcourseError: if Envoys could not even start."""
    from meshcourse.embedded.kubelet import limits

    left = limits.inotify_left()
    if left < limits.LEAST:
        raise MeshcourseError(
            f"the system gives this user only {left} more inotify instances, and every Envoy needs some",
            remedy=limits.REMEDY,
        )
    if left < limits.COMFORTABLE:
        log.warning(
            "only %d inotify instances are left, two for each Envoy: %s", left, limits.REMEDY
        )


def _raise_file_limit() -> None:
    """Every container costs a few descriptors, and some systems start with 256."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES if hard == resource.RLIM_INFINITY else min(hard, _FILES)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _publish(own: state.State, number: int, url: str) -> None:
    info = {
        "pid": os.getpid(),
        "number": number,
        "url": url,
        "version": versions.KUBERNETES,
        "ready": True,
    }
    state.write_atomic(own.info_file, json.dumps(info))
