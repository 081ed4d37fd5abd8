"""What the Gateway API asks istiod to run and to provide: managed gateways, and its GatewayClasses.

Source: pilot's deployment controller (server-side apply, owner references clean up) and class
controller (built-in classes are created when they are missing, and left alone when they are there).
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Final

from meshcourse.embedded.client.informer import Informer
from meshcourse.embedded.client.protocol import Client
from meshcourse.embedded.client.queue import WorkQueue
from meshcourse.embedded.istio import model
from meshcourse.embedded.istio.gateway_api import classes
from meshcourse.embedded.istio.model.converted import Deployed
from meshcourse.embedded.istiod import managed
from meshcourse.embedded.istiod.inject.values import Values
from meshcourse.embedded.istiod.world import World
from meshcourse.embedded.kube import objects, refs
from meshcourse.embedded.kube.objects import Key, Object
from meshcourse.embedded.kube.status import ApiError

log = logging.getLogger("gateway")

_MANAGER: Final = "istio.io/gateway-controller"
_KINDS: Final = {
    "ServiceAccount": refs.SERVICEACCOUNTS,
    "Service": refs.SERVICES,
    "Deployment": refs.DEPLOYMENTS,
}


class ManagedGateways:
    """Applies the objects of managed gateways. `update` is an observer of snapshots.

    :param values: the injector's settings of this moment.
    """

    def __init__(self, client: Client, world: World, values: Callable[[], Values]) -> None:
        self._client = client
        self._world = world
        self._values = values
        self._wanted: dict[Key, Deployed] = {}
        self._applied: dict[Key, str] = {}
        self._rendered_with: Values | None = None
        self._deployments: Informer | None = None
        self._queue: WorkQueue[Key] = WorkQueue(self._sync, name="gateway", workers=2)
        self._classes: WorkQueue[str] = WorkQueue(self._create_class, name="class", workers=1)

    def start(self) -> None:
        self._queue.start()
        self._classes.start()

    async def stop(self) -> None:
        await self._queue.stop()
        await self._classes.stop()
        if self._deployments is not None:
            await self._deployments.stop()

    def update(self, snapshot: model.Snapshot) -> None:
        """Bring classes and gateways up to date."""
        if self._world.serves(refs.K8S_GATEWAYCLASSES):
            for name in classes.BUILT_IN:
                if self._world.get(refs.K8S_GATEWAYCLASSES, "", name) is None:
                    self._classes.add(name)
        wanted = {one.gateway: one for one in snapshot.converted.deployed}
        for key in self._applied.keys() - wanted.keys():
            del self._applied[key]  # owner references clean up, or the user took over
        values = self._values() if wanted else None
        for key, one in wanted.items():
            if self._wanted.get(key) != one or values is not self._rendered_with:
                self._queue.add(key)
        self._rendered_with = values
        self._wanted = wanted

    async def _create_class(self, name: str) -> None:
        controller = classes.BUILT_IN[name]
        spec = {
            "controllerName": controller,
            "description": classes.DESCRIPTIONS[controller],
        }
        api_version = refs.K8S_GATEWAYCLASSES.api_version
        found = {"apiVersion": api_version, "kind": "GatewayClass", "metadata": {"name": name}}
        try:
            await self._client.create(refs.K8S_GATEWAYCLASSES, {**found, "spec": spec})
        except ApiError as error:
            if error.code != 409:
                raise

    async def _sync(self, key: Key) -> None:
        wanted = self._wanted.get(key)
        if wanted is None:
            return
        await self._watch()
        rendered = managed.build(wanted, self._values())
        text = json.dumps(rendered, sort_keys=True)
        if self._applied.get(key) == text:
            return
        for obj in rendered:
            await self._apply(obj)
        self._applied[key] = text
        log.info("applied the Deployment of gateway %s/%s", *key)

    async def _apply(self, obj: Object) -> None:
        resource, name = _KINDS[str(obj["kind"])], objects.name(obj)
        namespace = objects.namespace(obj)
        await self._client.patch(
            resource,
            name,
            obj,
            namespace,
            kind="apply",
            field_manager=_MANAGER,
            force=True,
        )

    async def _watch(self) -> None:
        """Hear of Deployments that somebody deletes; watched only where there are managed gateways."""
        if self._deployments is None:
            selector = f"{managed.MANAGED}={managed.MANAGER}"
            self._deployments = Informer(self._client, refs.DEPLOYMENTS, None, selector)
            await self._deployments.start()
            self._deployments.add_handler(self._on_deployment)

    def _on_deployment(self, type_: str, obj: Object, _old: Object | None) -> None:
        if type_ != "DELETED":
            return
        for key, one in self._wanted.items():
            if Key(key.namespace, one.name) == objects.key(obj):
                self._applied.pop(key, None)
                self._queue.add(key)
