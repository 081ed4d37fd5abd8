"""From a change in the cluster to what every proxy is to have."""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
from collections.abc import Callable

from meshcourse.embedded.istio import ingest, model, translate
from meshcourse.embedded.istiod import metrics
from meshcourse.embedded.istiod.debounce import Debouncer
from meshcourse.embedded.istiod.keysets import KeySets
from meshcourse.embedded.istiod.world import World
from meshcourse.embedded.istiod.xds import encode
from meshcourse.embedded.istiod.xds.connection import Connection
from meshcourse.embedded.kube import objects, refs

log = logging.getLogger("ads")

#: Called with the snapshot whenever one was made, new or not.
Observer = Callable[[model.Snapshot], None]

#: As on real Istio, policy with new key sets waits for them, though here not longer than this (seconds).
_KEY_PATIENCE = 1.0
#: Let the streams have a turn after so many seconds of translating.
_SLICE = 0.01


class Pusher:
    """Keeps the snapshot, and gives each connection its target.

    :param connections: the streams of this moment.
    :param keys: the key sets that policies of the snapshot ask for.
    """

    def __init__(
        self,
        world: World,
        debouncer: Debouncer,
        connections: Callable[[], list[Connection]],
        keys: KeySets | None = None,
    ) -> None:
        self.snapshot: model.Snapshot | None = None
        self.version = ""
        self.resources: dict[str, model.Resources] = {}
        self._world = world
        self._debouncer = debouncer
        self.observers: list[Observer] = []
        self._connections = connections
        self._keys = keys or KeySets(debouncer.trigger)
        self._translator = translate.Translator()
        self._cache = encode.ResourceCache()
        self._numbers = itertools.count(1)

    async def run(self) -> None:
        """For ever: wait for changes, push."""
        while True:
            born = await self._debouncer.wait()
            try:
                await self.push(born)
            except Exception:
                metrics.INTERNAL_ERRORS.inc()
                log.exception("push failed; proxies keep what they have")

    async def push(self, born: float) -> None:
        """Make a new snapshot and, if it says anything new, retarget everybody.

        :param born: when the first change of it was seen.
        """
        if not await self._take_snapshot():
            return
        began = time.monotonic()
        for connection in self._connections():
            self.aim(connection, born)
            if time.monotonic() - began > _SLICE:
                await asyncio.sleep(0)
                began = time.monotonic()

    def aim(self, connection: Connection, born: float) -> None:
        """Give one connection what the current snapshot means for it; a proxy that is not known yet must wait."""
        if self.snapshot is None:
            return
        proxy = self.snapshot.proxy(connection.node.namespace, connection.node.pod)
        if proxy is None:
            return
        try:
            resources = self._translator.resources(self.snapshot, proxy)
            self.resources[connection.id] = resources
            target = self._cache.target(resources, self.version, born)
        except encode.ResourceError as error:  # what an EnvoyFilter made of it
            connection.refuse(error.type_url, error.message)
            return
        except Exception:
            metrics.INTERNAL_ERRORS.inc()
            log.exception("no configuration for %s; it keeps what it has", connection.id)
            return
        connection.retarget(target)

    def forget(self, connection: Connection) -> None:
        self.resources.pop(connection.id, None)

    async def _take_snapshot(self) -> bool:
        """Whether the mesh is another than before."""
        began, before = time.monotonic(), self.snapshot
        fresh = ingest.snapshot(self._world.objects(), before, keys=self._keys.known)
        if self._keys.want(ingest.key_uris(fresh)):
            await self._keys.tried(_KEY_PATIENCE)
            fresh = ingest.snapshot(self._world.objects(), fresh, keys=self._keys.known)
        metrics.PUSH_TIME.observe(time.monotonic() - began)
        for observer in self.observers:
            observer(fresh)
        if fresh is before:
            return False
        self.snapshot = fresh
        self._cache.age()
        self.version = f"{objects.now()}/{next(self._numbers)}"
        metrics.SERVICES.set(len(fresh.services))
        metrics.VIRTUAL_SERVICES.set(len(fresh.of_kind(refs.VIRTUALSERVICES)))
        return True
