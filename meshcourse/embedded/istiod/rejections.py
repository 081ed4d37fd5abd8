"""Configuration that Envoy refused: in the log, on the proxy's pod, and on the objects it came from."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import Any

from meshcourse.embedded.client.events import Recorder
from meshcourse.embedded.istio import model
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


class Rejections:
    """Tells about NACKs."""

    def __init__(self, recorder: Recorder, world: World) -> None:
        self._recorder = recorder
        self._world = world

    def report(
        self, connection: Connection, resources: model.Resources | None, type_url: str, error: str
    ) -> None:
        """One NACK: `error` is Envoy's text."""
        kind = types.short(type_url)
        log.warning("ADS:%s: ACK ERROR %s %s", kind, connection.id, error)
        message = f"{kind} refused by {connection.node.name}: {error}"
        pod = self._world.get(refs.PODS, connection.node.namespace, connection.node.pod)
        origins = self._origins(resources, type_url, error) if resources else iter(())
        for obj in (*((pod,) if pod else ()), *origins):
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
