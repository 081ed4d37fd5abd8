"""The kubelet: watches pods, runs a worker for each, and answers what the API server asks of the node."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from pathlib import Path

from meshcourse.embedded.apiserver.streams.backend import ExecSession, LogOptions, Usage
from meshcourse.embedded.client.events import Recorder
from meshcourse.embedded.client.informer import Informer
from meshcourse.embedded.client.protocol import Client
from meshcourse.embedded.kube import addresses, objects, refs
from meshcourse.embedded.kube.objects import Object
from meshcourse.embedded.kube.status import ApiError
from meshcourse.embedded.kubelet import addressing, images, node
from meshcourse.embedded.kubelet.addressing import Allocator
from meshcourse.embedded.kubelet.catalogue import Catalogue
from meshcourse.embedded.kubelet.context import NodeContext
from meshcourse.embedded.kubelet.layout import Layout
from meshcourse.embedded.kubelet.pods.view import PodView
from meshcourse.embedded.kubelet.pods.worker import PodWorker
from meshcourse.embedded.kubelet.processes.client import Forker
from meshcourse.embedded.kubelet.proxy.proxy import KubeProxy
from meshcourse.embedded.kubelet.scheduler import Scheduler
from meshcourse.embedded.kubelet.streams.backend import Streams
from meshcourse.embedded.kubelet.usage import Meters
from meshcourse.errors import MeshcourseError

log = logging.getLogger(__name__)

#: What containers may have, in seconds, when the daemon ends.
_SHUT_DOWN_GRACE = 3.0


def make_forker(cluster: str, state_dir: Path, preload: Sequence[str] = ()) -> Forker:
    """A fork server for a cluster, not started yet: start it first of all, it warms up beside everything else.

    :param preload: modules that most containers need.
    """
    state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    return Forker(cluster, preload, state_dir / "forkserver.log")


class Kubelet:
    """One per cluster. Implements `NodeBackend`.

    :param client: in-process client with a node's rights.
    :param state_dir: the cluster's state directory.
    :param cluster_number: gives the /16 of loopback addresses.
    :param forker: started or not; stays the caller's to close.
    :param api_address: host and port of the API server.
    """

    def __init__(
        self,
        client: Client,
        *,
        state_dir: Path,
        cluster_name: str,
        cluster_number: int,
        catalogue: Catalogue,
        forker: Forker,
        api_address: tuple[str, int] = ("127.0.0.1", 443),
        node_name: str = "",
    ) -> None:
        self.node_name = node_name or f"{cluster_name}-control-plane"
        self._client = client
        self._layout = Layout(state_dir)
        self._allocator = Allocator(addressing.plan(cluster_number))
        self._forker = forker
        self._puller = images.Puller(catalogue)
        self._recorder = Recorder(client, "kubelet", self.node_name)
        self._pods = Informer(client, refs.PODS)
        self._nodes = Informer(client, refs.NODES)
        self._references = _References(client, self._pods)
        self._keeper = node.NodeKeeper(client, self.node_name, self._puller.present)
        self._proxy = KubeProxy(
            client,
            directory=state_dir / "kube-proxy",
            cluster_name=cluster_name,
            allocator=self._allocator,
            services=self._references.services_informer,
            forker=forker,
        )
        self._scheduler = Scheduler(client, self._pods, self._node, self.node_name, self._allocator)
        self._workers: dict[str, PodWorker] = {}
        self._streams = Streams(self._worker)
        self._meters = Meters(self._pids)
        self._context = NodeContext(
            cluster=cluster_name,
            node_name=self.node_name,
            api=api_address,
            capacity=node.capacity(),
            client=client,
            objects=self._references,
            recorder=self._recorder,
            forker=forker,
            puller=self._puller,
            layout=self._layout,
            allocator=self._allocator,
            proxy_environment=self._proxy.environment,
            meters=self._meters,
        )

    async def start(self) -> None:
        """Register the node, start kube-proxy and the pods that are there; return when new pods will be started."""
        self._layout.prepare()
        self._forker.start()
        await asyncio.gather(self._keeper.start(), self._pods.start(), self._references.start())
        await self._nodes.start()
        for pod in list(self._pods.items.values()):
            self._adopt_addresses(pod)
        self._meters.start()
        self._references.changed = self._poke
        await self._proxy.start()
        await asyncio.to_thread(self._remove_leftovers)
        self._pods.add_handler(self._on_pod)
        self._nodes.add_handler(lambda *_: self._scheduler.retry())
        self._scheduler.start()

    async def stop(self) -> None:
        """Stop every container within seconds; objects stay as they are and resume with the next start."""
        await self._scheduler.stop()
        await self._pods.stop()
        workers = list(self._workers.values())
        await asyncio.gather(*(worker.shut_down(_SHUT_DOWN_GRACE) for worker in workers))
        await self._proxy.stop()
        await self._meters.stop()
        await self._keeper.stop()
        await self._references.stop()
        await self._nodes.stop()
        await self._recorder.stop()

    # -- NodeBackend

    def logs(
        self, namespace: str, pod: str, container: str, options: LogOptions
    ) -> AsyncIterator[bytes]:
        return self._streams.logs(namespace, pod, container, options)

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
        return await self._streams.exec(namespace, pod, container, command, stdin=stdin, tty=tty)

    async def attach(
        self, namespace: str, pod: str, container: str, *, stdin: bool, tty: bool
    ) -> ExecSession:
        return await self._streams.attach(namespace, pod, container, stdin=stdin, tty=tty)

    async def dial(
        self, namespace: str, pod: str, port: int
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await self._streams.dial(namespace, pod, port)

    def pod_usage(self, namespace: str, pod: str) -> dict[str, Usage]:
        worker = self._worker(namespace, pod)
        found: dict[str, Usage] = {}
        for container in worker.containers if worker is not None else []:
            if container.process is not None and container.process.running:
                usage = self._meters.of(container.process.pid)
                if usage is not None:
                    found[container.name] = usage
        return found

    def node_usage(self) -> Usage:
        return self._meters.node()

    # -- pods

    def _on_pod(self, type_: str, pod: Object, _old: Object | None) -> None:
        if objects.dig(pod, "spec.nodeName") != self.node_name:
            return
        worker = self._workers.get(objects.uid(pod))
        if type_ == "DELETED":
            if worker is not None:
                worker.vanish()
        elif worker is not None:
            worker.update(pod)
        else:
            self._start_worker(pod)

    def _start_worker(self, pod: Object) -> None:
        try:
            given = self._allocator.allocate(pod)
        except MeshcourseError as error:
            self._recorder.event(pod, "Warning", "FailedCreatePodSandBox", str(error))
            return
        view = PodView(self._context, pod, given)
        worker = PodWorker(view, self._forget)
        self._workers[view.uid] = worker
        known = addresses.of_pod(pod) == given
        worker.start(None if known else self._annotate(view))
        worker.update(pod)

    async def _annotate(self, view: PodView) -> None:
        """Not bound by our scheduler, or with addresses of another time: write them before anything starts."""
        annotations = {addresses.ANNOTATION: view.addresses.render()}
        patch = {"metadata": {"uid": view.uid, "annotations": annotations}}
        with contextlib.suppress(ApiError):
            await self._client.patch(refs.PODS, view.name, patch, view.namespace)

    def _forget(self, worker: PodWorker) -> None:
        uid = worker.view.uid
        self._workers.pop(uid, None)
        self._allocator.release(uid)

    def _adopt_addresses(self, pod: Object) -> None:
        """After a restart: pods keep the addresses they had."""
        found = addresses.of_pod(pod)
        if found is not None and objects.dig(pod, "spec.nodeName") == self.node_name:
            self._allocator.restore(pod, found)

    def _poke(self, namespace: str) -> None:
        for worker in self._workers.values():
            if worker.view.namespace == namespace:
                worker.poke()

    def _worker(self, namespace: str, pod: str) -> PodWorker | None:
        found = self._pods.get(namespace, pod)
        return self._workers.get(objects.uid(found)) if found is not None else None

    def _pids(self) -> Iterator[int]:
        for worker in self._workers.values():
            for container in worker.containers:
                if container.process is not None and container.process.running:
                    yield container.process.pid

    def _node(self) -> Object:
        return self._nodes.get("", self.node_name) or {}

    def _remove_leftovers(self) -> None:
        """Directories of pods that were deleted while no daemon ran."""
        known = {objects.uid(pod) for pod in list(self._pods.items.values())}
        for path in self._layout.pods.iterdir():
            if path.name not in known:
                self._layout.remove(path)
        for path in self._layout.logs.iterdir():
            if path.name.rpartition("_")[2] not in known:
                self._layout.remove(path)


class _References:
    """ConfigMaps, Secrets and Services of all namespaces, cached.

    :param changed: called with the namespace in which a ConfigMap or Secret changed.
    """

    def __init__(self, client: Client, pods: Informer) -> None:
        self._pods = pods
        self._configmaps = Informer(client, refs.CONFIGMAPS)
        self._secrets = Informer(client, refs.SECRETS)
        self.services_informer = Informer(client, refs.SERVICES)
        self._all = (self._configmaps, self._secrets, self.services_informer)
        self.changed: Callable[[str], None] = _ignore
        for informer in (self._configmaps, self._secrets):
            informer.add_handler(lambda _type, obj, _old: self.changed(objects.namespace(obj)))

    async def start(self) -> None:
        await asyncio.gather(*(informer.start() for informer in self._all))

    async def stop(self) -> None:
        await asyncio.gather(*(informer.stop() for informer in self._all))

    def pod(self, namespace: str, name: str) -> Object | None:
        return self._pods.get(namespace, name)

    def configmap(self, namespace: str, name: str) -> Object | None:
        return self._configmaps.get(namespace, name)

    def secret(self, namespace: str, name: str) -> Object | None:
        return self._secrets.get(namespace, name)

    def services(self, namespace: str) -> Iterable[Object]:
        return self.services_informer.by_namespace(namespace)


def _ignore(_namespace: str) -> None:
    """Until the kubelet listens."""
