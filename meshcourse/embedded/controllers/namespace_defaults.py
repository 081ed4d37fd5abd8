"""What every namespace holds from the start: the ServiceAccount ``default`` and the ConfigMap ``kube-root-ca.crt``.

Source: Kubernetes documentation of service accounts and of the root CA certificate publisher. Both are restored when
somebody deletes or changes them.
"""

from __future__ import annotations

from meshcourse.embedded.controllers import refusals
from meshcourse.embedded.controllers.context import FIELD_MANAGER, Context
from meshcourse.embedded.controllers.controller import Controller
from meshcourse.embedded.kube import objects, refs
from meshcourse.embedded.kube.objects import Key, Object
from meshcourse.embedded.kube.refs import Resource
from meshcourse.embedded.kube.status import ApiError

ACCOUNT = "default"
ROOT_CA = "kube-root-ca.crt"
_ABOUT = "CA certificate with which clients inside the cluster verify the API server."


class NamespaceDefaultsController(Controller):
    """Keys are namespaces."""

    name = "namespace-defaults-controller"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._namespaces = context.informer(refs.NAMESPACES)
        self._accounts = context.informer(refs.SERVICEACCOUNTS)
        self._configmaps = context.informer(refs.CONFIGMAPS)
        self._namespaces.add_handler(self.enqueue)
        self._accounts.add_handler(self._restore)
        self._configmaps.add_handler(self._restore)

    def _restore(self, type_: str, obj: Object, old: Object | None) -> None:
        if type_ != "ADDED" and objects.name(obj) in (ACCOUNT, ROOT_CA):
            self.queue.add(Key("", objects.namespace(obj)))

    async def sync(self, key: Key) -> float | None:
        namespace = self._namespaces.get(*key)
        if namespace is None or objects.deleting(namespace):
            return None
        if self._accounts.get(key.name, ACCOUNT) is None:
            await self._create(refs.SERVICEACCOUNTS, key.name, ACCOUNT, {})
        await self._publish(key.name)
        return None

    async def _publish(self, namespace: str) -> None:
        data = {"ca.crt": self.context.options.root_ca}
        found = self._configmaps.get(namespace, ROOT_CA)
        if found is None:
            await self._create(refs.CONFIGMAPS, namespace, ROOT_CA, {"data": data})
        elif found.get("data") != data:
            changed = {**found, "data": data}
            await self.client.update(refs.CONFIGMAPS, changed, field_manager=FIELD_MANAGER)

    async def _create(self, resource: Resource, namespace: str, name: str, body: Object) -> None:
        metadata: Object = {"name": name, "namespace": namespace}
        if name == ROOT_CA:
            metadata["annotations"] = {"kubernetes.io/description": _ABOUT}
        obj = {"apiVersion": "v1", "kind": resource.kind, "metadata": metadata, **body}
        try:
            await self.client.create(resource, obj, namespace, field_manager=FIELD_MANAGER)
        except ApiError as error:
            known = error.reason == "AlreadyExists" or refusals.is_gone(error)
            if not known and not refusals.namespace_is_terminating(error):
                raise
