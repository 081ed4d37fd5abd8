"""The entry: all patches of a proxy applied to all its resources."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from meshcourse.embedded.istio import names
from meshcourse.embedded.istio.memo import Memo
from meshcourse.embedded.istio.model import Config, Json, Proxy, ProxyKind, Resources, Snapshot
from meshcourse.embedded.istio.patches import clusters, listeners, routes, selection
from meshcourse.embedded.istio.patches.selection import GATEWAY, INBOUND, OUTBOUND, Patch


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose resources are patched.

    :param filters: the EnvoyFilters in force (`selection.in_force`).
    :param hosts: the service of each inbound port; :param ports: at gateways, the service port of
        each port.
    """

    snapshot: Snapshot
    proxy: Proxy
    filters: tuple[Config, ...]
    hosts: Mapping[int, str]
    ports: Mapping[int, int]


def apply(resources: Resources, subject: Subject, memo: Memo) -> Resources:
    """The resources after all patches; the same objects where no patch acts."""
    if not subject.filters:
        return resources
    fitting = selection.chosen(subject.filters, subject.proxy)
    key = (subject.filters, fitting)
    found: tuple[Patch, ...] = memo.get(
        ("patches", *key), (), lambda: selection.patches(subject.filters, fitting)
    )
    work = _Work(subject, found, key, memo)
    return Resources(
        clusters=work.clusters(resources.clusters),
        endpoints=resources.endpoints,
        listeners=work.listeners(resources.listeners),
        routes=work.routes(resources.routes),
        secrets=resources.secrets,
        extensions={**resources.extensions, **work.extensions()},
    )


class _Work:
    def __init__(
        self, subject: Subject, patches: Sequence[Patch], key: Hashable, memo: Memo
    ) -> None:
        self._subject = subject
        self._patches = patches
        self._key = key
        self._memo = memo
        self._router = subject.proxy.kind is ProxyKind.ROUTER
        self._contexts = (GATEWAY,) if self._router else (OUTBOUND, INBOUND)

    def _context(self, *, inbound: bool) -> str:
        return GATEWAY if self._router else (INBOUND if inbound else OUTBOUND)

    def _kept(self, kind: str, name: str, base: Json, make: Callable[[], list[Json]]) -> list[Json]:
        """A patched object, shared by all proxies with the same filters and the same base."""
        key = ("patched", kind, name, self._key, self._contexts, id(base))
        return self._memo.get(key, (base,), make)

    def clusters(self, found: Mapping[str, Json]) -> dict[str, Json]:
        """Clusters merged, removed, added."""
        result: dict[str, Json] = {}
        for name, cluster in found.items():
            context = self._context(inbound=name.startswith("inbound|"))
            host = self._inbound_host(name)
            make = partial(_present, clusters.patched, cluster, context, self._patches, host)
            for one in self._kept("cluster", name, cluster, make):
                result[name] = one
        for one in clusters.added(self._contexts, self._patches, self._addresses()):
            result[str(one.get("name"))] = one
        return result

    def _inbound_host(self, cluster: str) -> str:
        parts = names.parse(cluster)
        inbound = parts is not None and parts.direction == "inbound"
        return self._subject.hosts.get(parts.port, "") if inbound and parts else ""

    def _addresses(self) -> dict[tuple[str, int], tuple[str, int]]:
        """Where Kubernetes Services are reached on this machine."""
        return {
            (service.hostname, port): (host, number)
            for service in self._subject.snapshot.services.values()
            for port, host, number in service.virtual
        }

    def listeners(self, found: Mapping[str, Json]) -> dict[str, Json]:
        """Listeners and everything in them."""
        result: dict[str, Json] = {}
        for name, listener in found.items():
            context = self._context(inbound=listener.get("traffic_direction") == "INBOUND")
            make = partial(_present, listeners.patched, listener, context, self._patches)
            for one in self._kept("listener", name, listener, make):
                result[name] = one
        for context in self._contexts:
            for one in listeners.added(context, self._patches):
                result[str(one.get("name"))] = self._bound(one)
        return result

    def _bound(self, listener: Json) -> Json:
        """An added listener at the pod's own address: nothing listens on all of them."""
        socket = (listener.get("address") or {}).get("socket_address") or {}
        if socket.get("address") not in ("0.0.0.0", "::"):
            return listener
        host, port = self._subject.proxy.addresses.pod(int(socket.get("port_value") or 0))
        address = {"socket_address": {**socket, "address": host, "port_value": port}}
        return {**listener, "address": address}

    def routes(self, found: Mapping[str, Json]) -> dict[str, Json]:
        """Route configurations and everything in them."""
        return {name: self._configuration(name, one) for name, one in found.items()}

    def _configuration(self, name: str, configuration: Json) -> Json:
        context = self._context(inbound=name.startswith("inbound|"))
        tunnels = (
            listeners.inserted(OUTBOUND, self._patches) if name == names.OUTBOUND_ROUTE else []
        )

        def keep(kind: str, host: Json, make: Callable[[], list[Json]]) -> list[Json]:
            return self._kept(kind, str(host["name"]), host, make)

        def make() -> list[Json]:
            result = routes.patched(
                configuration, context, self._patches, self._subject.ports, partial(keep, "host")
            )
            if tunnels:
                result = routes.past_tunnels(result, tunnels, partial(keep, "tunnel"))
            return [result]

        return self._kept("route", name, configuration, make)[0]

    def extensions(self) -> dict[str, Json]:
        """``EXTENSION_CONFIG``: configurations that added filters discover."""
        return {
            str(one.value.get("name")): one.value
            for one in self._patches
            if one.target == "EXTENSION_CONFIG" and one.operation == "ADD"
        }


def _present(patch: Callable[..., Json | None], *arguments: object) -> list[Json]:
    found = patch(*arguments)
    return [] if found is None else [found]
