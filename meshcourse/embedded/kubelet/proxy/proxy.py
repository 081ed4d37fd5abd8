"""Follows Services and EndpointSlices and keeps kube-proxy's Envoy in step."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from meshcourse.embedded.client.events import Recorder
from meshcourse.embedded.client.informer import Informer
from meshcourse.embedded.client.protocol import Client
from meshcourse.embedded.kube import addresses, objects, refs
from meshcourse.embedded.kube.objects import Key, Object
from meshcourse.embedded.kube.status import ApiError
from meshcourse.embedded.kubelet import addressing
from meshcourse.embedded.kubelet.addressing import Allocator
from meshcourse.embedded.kubelet.processes.client import Forker
from meshcourse.embedded.kubelet.proxy import config, model
from meshcourse.embedded.kubelet.proxy.doors import Doors
from meshcourse.embedded.kubelet.proxy.envoy import Envoy
from meshcourse.embedded.kubelet.proxy.model import Address, View

log = logging.getLogger(__name__)

_FIRST_FORWARD_PORT = 3128
_NO_PROXY = "localhost,127.0.0.1,::1"
#: How often addresses are tried again that another program holds.
_BLOCKED_RETRY = 10.0
#: How often the pods of load balancers are looked at: have they opened or closed a port?
_DOORS = 0.25
_PRIVILEGED_OFFSET = 10000


class KubeProxy:
    """One per node.

    :param services: an informer that the kubelet starts and stops.
    """

    def __init__(
        self,
        client: Client,
        *,
        directory: Path,
        cluster_name: str,
        allocator: Allocator,
        services: Informer,
        forker: Forker,
    ) -> None:
        self._client = client
        self._directory = directory
        self._allocator = allocator
        self._services = services
        self._slices = Informer(client, refs.ENDPOINTSLICES)
        self._slices.add_index("service", lambda obj: ["/".join(model.service_of(obj))])
        self._envoy = Envoy(directory, cluster_name, forker)
        self._recorder = Recorder(client, "kube-proxy")
        self._forward: dict[str, Address] = {}
        self._listening: set[Address] = set()
        self._blocked: dict[Address, str] = {}
        self._doors = Doors()
        self._dirty = asyncio.Event()
        self._settled = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def environment(self, namespace: str) -> Mapping[str, str]:
        """The proxy variables of a pod in `namespace`."""
        host, port = self._forward_address(namespace)
        url = f"http://{host}:{port}"
        names = ("http_proxy", "https_proxy", "grpc_proxy")
        return {**dict.fromkeys(names, url), "no_proxy": _NO_PROXY}

    @property
    def pid(self) -> int | None:
        """The process of its Envoy."""
        return self._envoy.pid

    async def start(self) -> None:
        """Start following; Envoy comes up with what is there now."""
        self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._forward_address("default")
        await self._slices.start()
        for informer in (self._services, self._slices):
            informer.add_handler(self._on_change)
        await self._sync()
        await self._envoy.start()
        self._dirty.set()
        self._task = asyncio.create_task(self._keep(), name="kube-proxy sync")

    async def stop(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        await self._slices.stop()
        await self._envoy.stop()
        await self._recorder.stop()

    async def settled(self) -> None:
        """Return when Envoy has everything that is known now."""
        if self._dirty.is_set():
            self._settled.clear()
        await self._settled.wait()

    def _on_change(self, type_: str, obj: Object, old: Object | None) -> None:
        if type_ == "DELETED" and self._allocator.plan.mode == "ports":
            text = objects.annotations_of(obj).get(addresses.ANNOTATION)
            self._allocator.ports.release(json.loads(text)["ports"].values() if text else ())
        if old is not None and _essence(obj) == _essence(old):
            return
        self._dirty.set()
        self._settled.clear()

    def _forward_address(self, namespace: str) -> Address:
        if namespace not in self._forward:
            plan = self._allocator.plan
            port = _FIRST_FORWARD_PORT + len(self._forward)
            if plan.mode == "ports":
                port = self._allocator.ports.take()
            self._forward[namespace] = (plan.proxy_host, port)
            self._dirty.set()
            self._settled.clear()
        return self._forward[namespace]

    async def _keep(self) -> None:
        while True:
            await self._something_to_do()
            try:
                await self._sync()
                await self._envoy.loaded()
            except Exception:
                log.exception("kube-proxy")
                await asyncio.sleep(1)
            if not self._dirty.is_set():
                self._settled.set()

    async def _something_to_do(self) -> None:
        """Return when something has changed, or blocked addresses are due."""
        due = time.monotonic() + _BLOCKED_RETRY
        while not self._dirty.is_set():
            pause = _DOORS if self._doors.any else 1.0 if self._blocked else None
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._dirty.wait(), pause)
            if self._doors.changed() or (self._blocked and time.monotonic() > due):
                return

    async def _sync(self) -> None:
        self._dirty.clear()
        services = [await self._annotate(one) for one in list(self._services.items.values())]
        view = self._doors.pass_on(self._view(services))
        self._check_addresses(view)
        errors = await self._envoy.apply(
            config.clusters(view),
            config.listeners(view, self._blocked, self._forward),
            config.routes(view),
        )
        for name, why in errors.items():
            log.warning("listener %s: %s", name, why)

    def _view(self, services: Iterable[Object]) -> View:
        slices: dict[Key, list[Object]] = {}
        for slice_ in self._slices.items.values():
            slices.setdefault(model.service_of(slice_), []).append(slice_)
        return model.view(services, slices)

    def _check_addresses(self, view: View) -> None:
        """Find out which new addresses another program holds or this user may not have."""
        wanted = {a: p for p in view.ports if p.endpoints for a in p.listen}
        self._listening &= wanted.keys()
        blocked = {}
        for address, port in wanted.items():
            if address in self._listening:
                continue
            problem = addressing.bind_problem(*address)
            if problem:
                blocked[address] = problem
                self._report(port.service, address, problem)
            else:
                self._listening.add(address)
        self._blocked = blocked

    def _report(self, key: Key, address: Address, problem: str) -> None:
        service = self._services.get(*key)
        if service is None or address in self._blocked:
            return
        host, port = address
        message = f"cannot listen on {host}:{port}: {problem}"
        if problem == "address already in use":
            message += "; stop the program that uses it, and it will be tried again"
        log.warning("service %s/%s: %s", key.namespace, key.name, message)
        self._recorder.event(service, "Warning", "FailedToListen", message)

    async def _annotate(self, service: Object) -> Object:
        """The Service with its ports' real places written down, if they are not where its spec says."""
        given = self._mapping(service)
        text = objects.annotations_of(service).get(addresses.ANNOTATION)
        if given is None or text == given:
            return service
        patch = {
            "metadata": {"uid": objects.uid(service), "annotations": {addresses.ANNOTATION: given}}
        }
        try:
            return await self._client.patch(
                refs.SERVICES, objects.name(service), patch, objects.namespace(service)
            )
        except ApiError as error:
            log.debug("service %s: %s", objects.key(service), error.message)
            return service

    def _mapping(self, service: Object) -> str | None:
        host = objects.dig(service, "spec.clusterIP", "")
        if host in ("", "None"):
            return None
        plan = self._allocator.plan
        numbers = [int(port["port"]) for port in objects.dig(service, "spec.ports", [])]
        if plan.mode == "ports":
            return self._allocated(service, numbers)
        mapped = {str(n): n + _PRIVILEGED_OFFSET for n in numbers if not plan.bindable(n)}
        return json.dumps({"clusterIP": host, "ports": mapped}) if mapped else None

    def _allocated(self, service: Object, numbers: list[int]) -> str:
        """Ports of 127.0.0.1; those of an earlier run are kept."""
        text = objects.annotations_of(service).get(addresses.ANNOTATION)
        known = json.loads(text)["ports"] if text else {}
        self._allocator.ports.keep(int(port) for port in known.values())
        ports = {str(n): known.get(str(n)) or self._allocator.ports.take() for n in numbers}
        return json.dumps({"clusterIP": "127.0.0.1", "ports": ports})


def _essence(obj: Object) -> tuple[object, ...]:
    """What of a Service or EndpointSlice matters here."""
    return (
        obj.get("spec"),
        obj.get("status"),
        obj.get("endpoints"),
        obj.get("ports"),
        objects.labels(obj),
        objects.annotations_of(obj).get(addresses.ANNOTATION),
    )
