"""The entry: all Gateway API objects of a cluster, converted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

from meshcourse.embedded.istio.gateway_api import (
    attachments,
    classes,
    gateways,
    kinds,
    rules,
    status,
    virtual_services,
)
from meshcourse.embedded.istio.gateway_api.attachments import Attachment, Parents
from meshcourse.embedded.istio.gateway_api.context import Context
from meshcourse.embedded.istio.gateway_api.gateways import Gateway
from meshcourse.embedded.istio.gateway_api.grants import Grants
from meshcourse.embedded.istio.gateway_api.virtual_services import Keyed
from meshcourse.embedded.istio.model import Config, Json
from meshcourse.embedded.istio.model.converted import Converted, Source
from meshcourse.embedded.kube import refs
from meshcourse.embedded.kube.objects import Key

_ROUTES: Final = (refs.HTTPROUTES, refs.GRPCROUTES, refs.TLSROUTES, refs.TCPROUTES)
_REQUESTS: Final = (kinds.HTTP_ROUTE, kinds.GRPC_ROUTE)


def convert(context: Context) -> Converted:
    """Istio's own kinds for all Gateways and routes, and reports on them."""
    grants = Grants(context.of_kind(refs.REFERENCEGRANTS))
    found = [gateways.build(one, context, grants) for one in context.of_kind(refs.K8S_GATEWAYS)]
    ours = [one for one in found if one is not None]
    routes = _Routes(context, grants, _parents(ours))
    for resource in _ROUTES:
        for route in context.of_kind(resource):
            routes.add(resource, route)
    statuses = {
        **_class_statuses(context),
        **{_source(refs.K8S_GATEWAYS, one.config): routes.counted(one) for one in ours},
        **routes.statuses,
    }
    opened = [one.config for gateway in ours for one in gateway.listeners if one.config]
    return Converted(
        gateways=_by_age(opened),
        rules=_by_age([*routes.connections, *virtual_services.merged(routes.requests)]),
        statuses=statuses,
        deployed=tuple(one.deployed for one in ours if one.deployed),
    )


def _by_age(found: Sequence[Config]) -> tuple[Config, ...]:
    return tuple(sorted(found, key=lambda one: one.age_key))


def _source(resource: refs.Resource, config: Config) -> Source:
    return Source(resource, Key(config.namespace, config.name))


def _class_statuses(context: Context) -> dict[Source, Json]:
    found = {
        _source(refs.K8S_GATEWAYCLASSES, one): classes.status(one)
        for one in context.of_kind(refs.K8S_GATEWAYCLASSES)
    }
    return {source: one for source, one in found.items() if one is not None}


def _parents(found: Sequence[Gateway]) -> Parents:
    return {
        Key(one.config.namespace, one.config.name): [it.parent for it in one.listeners]
        for one in found
    }


class _Routes:
    """Collects what routes become."""

    def __init__(self, context: Context, grants: Grants, parents: Parents) -> None:
        self._context = context
        self._grants = grants
        self._parents = parents
        self._attached: Counter[tuple[Key, str]] = Counter()
        self.requests: list[Keyed] = []
        self.connections: list[Config] = []
        self.statuses: dict[Source, Json] = {}

    def add(self, resource: refs.Resource, route: Config) -> None:
        """Converts one route; routes of nobody we know are left alone."""
        found = attachments.of_route(route, self._parents, self._context)
        if not found:
            return
        needed = {one.mesh for one in found}
        converted = {
            mesh: rules.convert(route, self._context, self._grants, mesh=mesh) for mesh in needed
        }
        self.statuses[_source(resource, route)] = status.of_route(route, found, converted)
        self._count(found)
        if kinds.of_config(route) in _REQUESTS:
            self.requests += virtual_services.of_requests(route, found, converted, self._context)
        else:
            made = virtual_services.of_connections(route, found, converted, self._context)
            self.connections += made

    def _count(self, found: Sequence[Attachment]) -> None:
        good = attachments.accepted(found)
        self._attached.update({(one.parent.gateway, one.parent.section) for one in good})

    def counted(self, gateway: Gateway) -> Json:
        """The Gateway's status with the number of routes at each listener."""
        if "listeners" not in gateway.status:
            return gateway.status
        key = Key(gateway.config.namespace, gateway.config.name)
        reports = [
            {**one, "attachedRoutes": self._attached[key, one["name"]]}
            for one in gateway.status["listeners"]
        ]
        return {**gateway.status, "listeners": reports}
