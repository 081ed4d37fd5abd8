"""The life of ``istio-proxy``: certificate, Envoy, renewals, and an orderly end.

Envoy is not restarted: if it dies the container dies, and the kubelet decides. On SIGTERM the proxy goes on serving
while others learn that the pod is gone, until no request is under way, for `Settings.drain` seconds at most.
"""

from __future__ import annotations

import contextlib
import gc
import http.client
import os
import select
import signal
import time
from collections.abc import Mapping
from pathlib import Path

from meshcourse.embedded.istiod.agent import (
    admin,
    bootstrap,
    certificates,
    child,
    envoy,
    log,
    place,
)
from meshcourse.embedded.istiod.agent.settings import Settings
from meshcourse.embedded.istiod.agent.stats import Application
from meshcourse.embedded.istiod.agent.status import ENVOY_PORT, MERGED_PORT, StatusServer

#: Host and port at which istiod serves xDS.
Discovery = tuple[str, int]
#: Envoy's working directory, as the container sees it.
DIRECTORY = "/etc/istio/proxy"
#: Pause between attempts to get the first certificate: many quick ones, istiod may be starting too.
_QUICK, _QUICK_ATTEMPTS, _SLOW = 0.05, 100, 1.0
#: First and longest pause between attempts to renew one.
_RETRY = (0.5, 30.0)
_DRAIN_STEP = 0.1
#: Others need this long to hear of the end (endpoint update and its acknowledgement).
_DRAIN_MINIMUM = 0.3
_ACTIVE = "/stats?filter=downstream_(rq|cx)_active%24"


class Supervisor:
    """Runs one Envoy. `run` returns the container's exit code."""

    def __init__(self, settings: Settings, env: Mapping[str, str]) -> None:
        self._settings = settings
        self._env = env
        self._directory = place.mounted(DIRECTORY, env)
        self._socket = Path(DIRECTORY.lstrip("/")) / bootstrap.ADMIN_SOCKET
        self._renew_at = 0.0
        self._pause = _RETRY[0]
        self._envoy = 0
        self._exit_code: int | None = None
        self._drain_from = 0.0
        self._stopping = False
        self._draining = False
        self._killed = False
        self._wakeup = _wakeup_pipe()

    def run(self) -> int:
        """Until Envoy has ended."""
        os.chdir(place.root(self._env))  # the admin socket's path must be short, hence relative
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._stop())
        signal.signal(signal.SIGCHLD, lambda *_: None)
        gc.disable()  # hardly anything is ever allocated, and looking for garbage would touch every page
        discovery = self._first_certificate()
        if discovery is None:
            return 0
        self._start(discovery)
        with contextlib.closing(self._status_server()) as status:
            while self._exit_code is None:
                self._turn(status)
        return self._exit_code

    # -- certificates --------------------------------------------------------------------------

    def _first_certificate(self) -> Discovery | None:
        """Try until istiod answers; None if we are told to stop meanwhile."""
        attempts, complained = 0, ""
        while not self._stopping:
            try:
                discovery = self._obtain()
            except child.ChildError as error:
                if str(error) != complained:
                    complained = str(error)
                    log.warn(f"sds\t{complained}")
                attempts += 1
                pause = _QUICK if attempts < _QUICK_ATTEMPTS else _SLOW
                select.select([self._wakeup], [], [], pause)
                continue
            log.info("cache\tgenerated new workload certificate")
            return discovery
        return None

    def _obtain(self) -> Discovery:
        """Get a certificate and put it where Envoy looks for it; returns where istiod serves xDS."""
        self._renew_at, host, port = child.run(self._fetch_and_write)
        return host, port

    def _fetch_and_write(self) -> tuple[float, str, int]:
        granted = certificates.fetch(self._settings, self._env)
        certificates.write(
            granted,
            self._directory / bootstrap.CERTIFICATE_FILE,
            self._directory / bootstrap.ROOTS_FILE,
        )
        system = self._directory / bootstrap.SYSTEM_ROOTS_FILE
        certificates.keep_system_roots(system, granted.chain[-1])
        return granted.renew_at(self._settings.grace_ratio), *granted.discovery

    def _renew(self) -> None:
        try:
            self._obtain()
        except child.ChildError as error:
            log.warn(f"sds\t{error}")
            self._renew_at = time.time() + self._pause
            self._pause = min(self._pause * 2, _RETRY[1])
            return
        self._pause = _RETRY[0]
        log.info("cache\trenewed the workload certificate")

    # -- Envoy ---------------------------------------------------------------------------------

    def _start(self, discovery: Discovery) -> None:
        status = place.listen(bootstrap.STATUS_PORT, self._env)
        config = self._directory / "envoy-rev.json"
        envoy.write_config(config, bootstrap.build(self._settings, discovery, status))
        argv = envoy.arguments(self._settings, config)
        log.info(f"Envoy command: {argv[1:]}")
        self._envoy = envoy.spawn(
            argv, envoy.environment(self._settings, self._env), self._directory
        )

    def _status_server(self) -> StatusServer:
        addresses = {port: place.listen(port, self._env) for port in (MERGED_PORT, ENVOY_PORT)}
        application = _application(self._settings, self._env)
        return StatusServer(addresses, self._socket, application)

    def _turn(self, status: StatusServer) -> None:
        """Wait for a signal, a request or the next thing to do, and do it."""
        listeners = {listener.fileno(): listener for listener in status.sockets}
        watched = [self._wakeup, *listeners]
        for descriptor in select.select(watched, [], [], self._timeout())[0]:
            if descriptor == self._wakeup:
                os.read(descriptor, 512)
            else:
                status.serve(listeners[descriptor])
        self._reap()
        if self._stopping and self._exit_code is None:
            self._drain()
        elif time.time() >= self._renew_at:
            self._renew()

    def _timeout(self) -> float:
        return _DRAIN_STEP if self._stopping else max(0.0, self._renew_at - time.time())

    def _reap(self) -> None:
        pid, status = os.waitpid(self._envoy, os.WNOHANG)
        if pid == 0:
            return
        code = os.waitstatus_to_exitcode(status)
        self._exit_code = 0 if self._killed else code if code >= 0 else 128 - code
        log.info(f"Epoch 0 exited {'normally' if not self._exit_code else f'with error: {code}'}")

    # -- the end -------------------------------------------------------------------------------

    def _stop(self) -> None:
        """Called from a signal handler: only remember it."""
        if not self._stopping:
            self._stopping = True
            self._drain_from = time.monotonic()

    def _drain(self) -> None:
        if not self._draining:
            self._begin_draining()
        waited = time.monotonic() - self._drain_from
        if self._killed or waited < _DRAIN_MINIMUM:
            return
        if waited < self._settings.drain and self._busy():
            return
        log.info("There are no more active connections. terminating proxy...")
        self._killed = True
        os.kill(self._envoy, signal.SIGTERM)

    def _begin_draining(self) -> None:
        """Envoy answers on, and asks its clients to go elsewhere."""
        self._draining = True
        log.info("Agent draining Proxy for termination")
        url = "/drain_listeners?inboundonly&graceful&skip_exit"
        with contextlib.suppress(OSError, http.client.HTTPException):
            admin.call(self._socket, "POST", url, 1.0)

    def _busy(self) -> bool:
        """Whether requests are under way."""
        try:
            _, body = admin.call(self._socket, "GET", _ACTIVE, 1.0)
        except (OSError, http.client.HTTPException):
            return False
        return any(_counts(line) for line in body.decode().splitlines())


def _counts(line: str) -> bool:
    """Whether a statistic is a request (or TCP connection) of the application; the admin's own are not."""
    name, _, value = line.partition(": ")
    if name.startswith(("http.admin.", "http.agent.")):
        return False
    mine = name.startswith("http.") and name.endswith("rq_active")
    mine = mine or (name.startswith("tcp.") and name.endswith("cx_active"))
    return mine and value.strip().isdigit() and int(value) > 0


def _application(settings: Settings, env: Mapping[str, str]) -> Application | None:
    """The application's metrics endpoint, if the pod was annotated with one before it was injected."""
    if settings.scrape.get("scrape") != "true":
        return None
    host, port = place.application(int(settings.scrape.get("port") or 80), env)
    return Application(host, port, settings.scrape.get("path") or "/metrics")


def _wakeup_pipe() -> int:
    """The readable end of a pipe into which every signal writes."""
    read, write = os.pipe()
    os.set_blocking(read, False)
    os.set_blocking(write, False)
    signal.set_wakeup_fd(write, warn_on_full_buffer=False)
    return read
