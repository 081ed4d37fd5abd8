"""The mesh's root certificate in every namespace: ConfigMap ``istio-ca-root-cert``, which proxies mount."""

from __future__ import annotations

from meshcourse.embedded.client.informer import Informer
from meshcourse.embedded.client.protocol import Client
from meshcourse.embedded.client.queue import WorkQueue
from meshcourse.embedded.istiod.inject.policy import IGNORED_NAMESPACES
from meshcourse.embedded.kube import objects, refs
from meshcourse.embedded.kube.objects import Object
from meshcourse.embedded.kube.status import ApiError

NAME = "istio-ca-root-cert"
KEY = "root-cert.pem"


class RootCertificates:
    """Writes the ConfigMap wherever it is missing or wrong."""

    def __init__(
        self, client: Client, namespaces: Informer, configmaps: Informer, root: str
    ) -> None:
        self._client = client
        self._namespaces = namespaces
        self._configmaps = configmaps
        self._root = root
        self._queue: WorkQueue[str] = WorkQueue(self._sync, name="root certificate", workers=2)

    def start(self) -> None:
        """Begin; existing namespaces are looked at first."""
        self._queue.start()
        self._namespaces.add_handler(lambda type_, obj, old: self._queue.add(objects.name(obj)))
        self._configmaps.add_handler(self._on_configmap)

    async def stop(self) -> None:
        await self._queue.stop()

    def _on_configmap(self, type_: str, obj: Object, _old: Object | None) -> None:
        if objects.name(obj) == NAME:
            self._queue.add(objects.namespace(obj))

    async def _sync(self, namespace: str) -> None:
        found = self._namespaces.get("", namespace)
        if found is None or objects.deleting(found) or namespace in IGNORED_NAMESPACES:
            return
        current = self._configmaps.get(namespace, NAME)
        if current is None:
            await self._create(namespace)
        elif (current.get("data") or {}).get(KEY) != self._root:
            wanted = {**current, "data": {KEY: self._root}}
            await self._client.update(refs.CONFIGMAPS, wanted)

    async def _create(self, namespace: str) -> None:
        configmap = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": NAME,
                "namespace": namespace,
                "labels": {"istio.io/config": "true"},
            },
            "data": {KEY: self._root},
        }
        try:
            await self._client.create(refs.CONFIGMAPS, configmap, namespace)
        except ApiError as error:
            if error.code not in (404, 409):  # the namespace is going; somebody else was faster
                raise
