"""The entry to translation."""

from __future__ import annotations

from collections.abc import Mapping

from meshcourse.embedded.istio import inbound, model, patches, proxy_settings, telemetry_api
from meshcourse.embedded.istio.build import secrets
from meshcourse.embedded.istio.memo import Memo
from meshcourse.embedded.istio.scope import Scope
from meshcourse.embedded.istio.translate import (
    collectors,
    gateway,
    observability,
    outbound,
    sidecar,
    world,
)
from meshcourse.embedded.istio.translate.outbound import Shared
from meshcourse.embedded.istio.translate.world import World
from meshcourse.embedded.kube import refs


class Translator:
    """Builds resources and remembers the parts; one instance per control plane, not thread-safe.

    Outbound clusters, endpoints and routes are built once per scope (namespace and Sidecar) and are
    the same dictionary objects for all proxies of that scope; a changed VirtualService rebuilds its
    virtual hosts only.
    """

    def __init__(self) -> None:
        self._memo = Memo()
        self._world: World | None = None
        self._scopes: dict[tuple[object, ...], tuple[Scope, Shared]] = {}

    def resources(self, snapshot: model.Snapshot, proxy: model.Proxy) -> model.Resources:
        """Everything that `proxy` is to be told."""
        found = self._prepare(snapshot)
        scope, shared = self._shared(found, proxy)
        if proxy.kind is model.ProxyKind.SIDECAR:
            own = sidecar.build(scope, proxy, self._memo)
        else:
            own = gateway.Gateway(scope, proxy, self._memo).build()
        routes = {} if shared.route is None else {str(shared.route["name"]): shared.route}
        built = model.Resources(
            clusters={**shared.clusters, **own.clusters},
            endpoints=self._endpoints(shared, snapshot),
            listeners=own.listeners,
            routes={**routes, **own.routes},
            secrets={**own.secrets, **self._secrets(shared, snapshot, proxy)},
            extensions=own.extensions,
        )
        return patches.apply(built, self._subject(snapshot, proxy), self._memo)

    def _endpoints(self, shared: Shared, snapshot: model.Snapshot) -> Mapping[str, model.Json]:
        collector = collectors.build(snapshot, self._memo)
        return self._memo.get(
            ("endpoints", id(shared)),
            (shared, collector),
            lambda: {**shared.endpoints, **collector},
        )

    def _secrets(
        self, shared: Shared, snapshot: model.Snapshot, proxy: model.Proxy
    ) -> Mapping[str, model.Json]:
        """What clusters need for TLS towards the outside."""
        return self._memo.get(
            ("cluster-secrets", proxy.namespace, id(shared)),
            (shared, snapshot.secrets, snapshot.authorities),
            lambda: secrets.of_clusters(
                shared.clusters.values(),
                proxy.namespace,
                snapshot.secrets,
                snapshot.authorities,
            ),
        )

    def _subject(self, snapshot: model.Snapshot, proxy: model.Proxy) -> patches.Subject:
        """What EnvoyFilters need to know of a proxy; they are the last to act."""
        configs = snapshot.of_kind(refs.ENVOYFILTERS)
        filters = patches.in_force(configs, proxy, snapshot.mesh.root_namespace)
        targets = inbound.targets(snapshot, proxy) if filters else []
        return patches.Subject(
            snapshot=snapshot,
            proxy=proxy,
            filters=filters,
            hosts={one.number: one.service.hostname for one in targets if one.service},
            ports={one.number: one.service_port for one in targets},
        )

    def _prepare(self, snapshot: model.Snapshot) -> World:
        if self._world is None or self._world.snapshot is not snapshot:
            self._memo.sweep()
            self._scopes.clear()
            self._world = world.build(snapshot, self._memo)
        return self._world

    def _shared(self, found: World, proxy: model.Proxy) -> tuple[Scope, Shared]:
        key = world.scope_key(found, proxy)
        if key not in self._scopes:
            scope = world.scope_of(found, proxy)
            reporting = observability.build(scope, proxy, telemetry_api.CLIENT, self._memo)
            scope.sampling = reporting.sampling
            scope.attempts = proxy_settings.of(proxy.workload, scope.mesh).attempts
            router = proxy.kind is model.ProxyKind.ROUTER
            builder = outbound.Outbound(scope, key, self._memo, router=router)
            self._scopes[key] = scope, builder.build()
        return self._scopes[key]
