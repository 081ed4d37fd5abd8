"""All controllers of a cluster, started and stopped together."""

from __future__ import annotations

import asyncio
from typing import Protocol

from meshcourse.embedded.client.protocol import Client
from meshcourse.embedded.client.shared import SharedInformers
from meshcourse.embedded.controllers.context import Context, Options
from meshcourse.embedded.controllers.cronjob import CronJobController
from meshcourse.embedded.controllers.daemonset import DaemonSetController
from meshcourse.embedded.controllers.deployment import DeploymentController
from meshcourse.embedded.controllers.endpoints import EndpointsController
from meshcourse.embedded.controllers.endpoints_mirroring import EndpointsMirroringController
from meshcourse.embedded.controllers.endpointslice import EndpointSliceController
from meshcourse.embedded.controllers.event_expiry import EventExpiryController
from meshcourse.embedded.controllers.finished_jobs import FinishedJobsController
from meshcourse.embedded.controllers.garbage import GarbageCollector
from meshcourse.embedded.controllers.hpa import HpaController
from meshcourse.embedded.controllers.job import JobController
from meshcourse.embedded.controllers.namespace_defaults import NamespaceDefaultsController
from meshcourse.embedded.controllers.namespace_deletion import NamespaceDeletionController
from meshcourse.embedded.controllers.pod_gc import PodGcController
from meshcourse.embedded.controllers.replicaset import ReplicaSetController
from meshcourse.embedded.controllers.served import ServedKinds
from meshcourse.embedded.controllers.service_addresses import ServiceAddressController
from meshcourse.embedded.controllers.statefulset import StatefulSetController

#: Controllers that need nothing but the context. EndpointSlices first: of all that a pod's readiness sets in motion,
#: traffic waits for them.
_SIMPLE = (
    EndpointSliceController,
    ReplicaSetController,
    DeploymentController,
    EndpointsController,
    EndpointsMirroringController,
    ServiceAddressController,
    NamespaceDefaultsController,
    StatefulSetController,
    DaemonSetController,
    JobController,
    CronJobController,
    FinishedJobsController,
    PodGcController,
    EventExpiryController,
)


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
        simple: list[Loop] = [make(self._context) for make in _SIMPLE]
        self._loops: list[Loop] = [
            served,
            *simple,
            NamespaceDeletionController(self._context, served),
            GarbageCollector(self._context, served),
            HpaController(self._context, served),
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
