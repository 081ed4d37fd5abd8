"""Configuration that Envoy refused: in the log, on the proxy's pod, and on the objects it came from.

Real Istio logs and counts it, and shows it in ``proxy-status``; the Events are ours, for learners who
look at the object that they have just applied.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from meshcourse.embedded.client.events import Recorder
from meshcourse.embedded.istio import model, patches
from meshcourse.embedded.istiod.world import World
from meshcourse.embedded.istiod.xds import types
from meshcourse.embedded.istiod.xds.connection import Connection
from meshcourse.embedded.kube import refs
from meshcourse.embedded.kube.objects import Object
from meshcourse.embedded.kube.refs import Resource

log = logging.getLogger("ads")

REASON = "EnvoyRejectedConfig"
#: The kinds that pilot names in ``filter_metadata.istio.config``, as ``/apis/…/namespaces/NS/virtual-service/NAME``.
_KINDS: dict[str, Resource] = {
    "virtual-service": refs.VIRTUALSERVICES,
    "destination-rule": refs.DESTINATIONRULES,
    "gateway": refs.GATEWAYS,
    "service-entry": refs.SERVICEENTRIES,
    "envoy-filter": refs.ENVOYFILTERS,
}
#: What an EnvoyFilter may patch in resources of a type.
_PATCHED: dict[str, frozenset[str]] = {
    types.CDS: frozenset(("CLUSTER",)),
    types.LDS: frozenset(
        ("LISTENER", "FILTER_CHAIN", "NETWORK_FILTER", "HTTP_FILTER", "LISTENER_FILTER")
    ),
    types.RDS: frozenset(("ROUTE_CONFIGURATION", "VIRTUAL_HOST", "HTTP_ROUTE")),
    types.ECDS: frozenset(("EXTENSION_CONFIG",)),
}


class Rejections:
    """Tells about NACKs.

    :param snapshot: the mesh of this moment.
    """

    def __init__(
        self,
        recorder: Recorder,
        world: World,
        snapshot: Callable[[], model.Snapshot | None] = lambda: None,
    ) -> None:
        self._recorder = recorder
        self._world = world
        self._snapshot = snapshot

    def report(
        self, connection: Connection, resources: model.Resources | None, type_url: str, error: str
    ) -> None:
        """One NACK: `error` is Envoy's text."""
        kind = types.short(type_url)
        log.warning("ADS:%s: ACK ERROR %s %s", kind, connection.id, error)
        message = f"{kind} refused by {connection.node.name}: {error}"
        pod = self._world.get(refs.PODS, connection.node.namespace, connection.node.pod)
        origins = self._origins(resources, type_url, error) if resources else iter(())
        suspects = self._filters(connection, type_url)
        for obj in (*((pod,) if pod else ()), *origins, *suspects):
            self._recorder.event(obj, "Warning", REASON, message)

    def _origins(self, resources: model.Resources, type_url: str, error: str) -> Iterator[Object]:
        """The objects that resources named in the error were made from."""
        groups: dict[str, Mapping[str, model.Json]] = {
            types.CDS: resources.clusters,
            types.LDS: resources.listeners,
            types.RDS: resources.routes,
        }
        paths = {
            path
            for name, resource in groups.get(type_url, {}).items()
            if name in error
            for path in _paths(resource)
        }
        for path in sorted(paths):
            found = self._object(path)
            if found is not None:
                yield found

    def _filters(self, connection: Connection, type_url: str) -> Iterator[Object]:
        """EnvoyFilters that changed resources of this type; nothing notes which resource."""
        snapshot, node = self._snapshot(), connection.node
        proxy = snapshot.proxy(node.namespace, node.pod) if snapshot else None
        if snapshot is None or proxy is None:
            return
        written = snapshot.of_kind(refs.ENVOYFILTERS)
        for config in patches.in_force(written, proxy, snapshot.mesh.root_namespace):
            targets = {one.get("applyTo") for one in config.spec.get("configPatches") or ()}
            found = self._world.get(refs.ENVOYFILTERS, config.namespace, config.name)
            if found is not None and targets & _PATCHED.get(type_url, frozenset()):
                yield found

    def _object(self, path: str) -> Object | None:
        parts = path.split("/")
        if len(parts) < 3 or parts[-2] not in _KINDS:
            return None
        return self._world.get(_KINDS[parts[-2]], parts[-3], parts[-1])


def _paths(node: Any) -> Iterator[str]:
    if isinstance(node, Mapping):
        config = node.get("config")
        if isinstance(config, str) and config.startswith("/apis/"):
            yield config
        for value in node.values():
            yield from _paths(value)
    elif isinstance(node, list):
        for item in node:
            yield from _paths(item)
