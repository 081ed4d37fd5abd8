"""All controllers of a cluster, started and stopped together."""

from __future__ import annotations

import asyncio
from typing import Protocol

from meshcourse.embedded.client.protocol import Client
from meshcourse.embedded.client.shared import SharedInformers
from meshcourse.embedded.controllers.context import Context, Options
from meshcourse.embedded.controllers.deployment import DeploymentController
from meshcourse.embedded.controllers.endpointslice import EndpointSliceController
from meshcourse.embedded.controllers.garbage import GarbageCollector
from meshcourse.embedded.controllers.namespace_defaults import NamespaceDefaultsController
from meshcourse.embedded.controllers.namespace_deletion import NamespaceDeletionController
from meshcourse.embedded.controllers.replicaset import ReplicaSetController
from meshcourse.embedded.controllers.served import ServedKinds
from meshcourse.embedded.controllers.service_addresses import ServiceAddressController


class Loop(Protocol):
    """What the manager asks of a controller."""

    def start(self) -> None: ...

    async def stop(self) -> None: ...


class Manager:
    """The controllers of one cluster.

    :param client: with the rights of ``system:masters``.
    :param cluster_number: N of the cluster's loopback addresses ``127.N.0.0/16``.
    """

    def __init__(
        self, client: Client, *, cluster_number: int, options: Options | None = None
    ) -> None:
        informers = SharedInformers(client)
        self._context = Context(client, informers, cluster_number, options or Options())
        served = ServedKinds(self._context)
        self._loops: list[Loop] = [
            served,
            DeploymentController(self._context),
            ReplicaSetController(self._context),
            EndpointSliceController(self._context),
            ServiceAddressController(self._context),
            NamespaceDefaultsController(self._context),
            NamespaceDeletionController(self._context, served),
            GarbageCollector(self._context, served),
        ]

    @property
    def informers(self) -> SharedInformers:
        """The caches, for others in the same process (kubelet, kube-proxy) to share."""
        return self._context.informers

    async def start(self) -> None:
        """Return when all caches are filled and all controllers work.

        :raises ApiError: if the server refuses to list a kind.
        """
        await self._context.informers.start()
        for loop in self._loops:
            loop.start()

    async def stop(self) -> None:
        """Return when nothing of the manager runs any more."""
        await asyncio.gather(*(loop.stop() for loop in self._loops))
        await self._context.informers.stop()
        await asyncio.gather(*(one.stop() for one in self._context.recorders.values()))
