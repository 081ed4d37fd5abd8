"""The parts that belong to one sidecar: its listeners, its application's clusters and routes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from meshcourse.embedded.istio import (
    destination_rules,
    inbound,
    peer_authentication,
    proxy_settings,
    telemetry_api,
)
from meshcourse.embedded.istio.build import (
    cluster_inbound,
    listener_inbound,
    listener_outbound,
    route_inbound,
)
from meshcourse.embedded.istio.build.listener_inbound import Inbound, InboundPort
from meshcourse.embedded.istio.destination_rules import Rule
from meshcourse.embedded.istio.memo import Memo
from meshcourse.embedded.istio.model import Json, Proxy, Resources, Snapshot
from meshcourse.embedded.istio.scope import Scope
from meshcourse.embedded.istio.translate import observability, policy
from meshcourse.embedded.istio.translate.policy import Policy
from meshcourse.embedded.kube import refs


def build(scope: Scope, proxy: Proxy, memo: Memo) -> Resources:
    """The sidecar's own resources."""
    snapshot = scope.snapshot
    security = policy.build(scope, proxy, memo)
    client = observability.build(scope, proxy, telemetry_api.CLIENT, memo)
    server = observability.build(scope, proxy, telemetry_api.SERVER, memo)
    found = inbound.targets(snapshot, proxy, scope.sidecar)
    ports = [_port(snapshot, proxy, target) for target in found]
    mesh, workload = snapshot.mesh, proxy.workload
    settings = proxy_settings.of(workload, mesh)
    listeners: list[Json] = memo.get(
        ("sidecar-listeners", proxy.id, tuple(ports)),
        (workload, mesh, security, client, server),
        lambda: [
            *listener_outbound.build(proxy, mesh, client, settings),
            *listener_inbound.build(
                proxy, ports, Inbound(mesh, server, security.network, settings)
            ),
        ],
    )
    rules = [scope.destination_rule(one.service.hostname) if one.service else None for one in found]
    clusters: list[Json] = memo.get(
        ("inbound-clusters", proxy.id, tuple(found)),
        (workload, mesh, *(target.pool for target in found), *rules),
        lambda: [
            cluster_inbound.build(proxy, target, _policy(target, rule), mesh)
            for target, rule in zip(found, rules, strict=True)
        ],
    )
    routes = [
        _route(target, port, security, server.sampling, memo)
        for target, port in zip(found, ports, strict=True)
    ]
    return Resources(
        clusters=_by_name(clusters),
        listeners=_by_name(listeners),
        routes=_by_name([one for one in routes if one is not None]),
        extensions=security.extensions,
    )


def _policy(target: inbound.Target, rule: Rule | None) -> Mapping[str, Any]:
    """What the DestinationRule of a port's service says about the port."""
    return destination_rules.policy_for(rule, target.service_port)


def _by_name(found: list[Json]) -> dict[str, Json]:
    return {str(one["name"]): one for one in found}


def _port(snapshot: Snapshot, proxy: Proxy, target: inbound.Target) -> InboundPort:
    policies = snapshot.of_kind(refs.PEERAUTHENTICATIONS)
    root = snapshot.mesh.root_namespace
    mode = peer_authentication.mode(policies, proxy.workload, target.number, root)
    return InboundPort(target.number, target.protocol, mode)


def _route(
    target: inbound.Target,
    port: InboundPort,
    security: Policy,
    sampling: float | None,
    memo: Memo,
) -> Json | None:
    if not target.protocol.http:
        return None
    return memo.get(
        ("inbound-route", port, target.service, id(security), sampling),
        (security,),
        lambda: route_inbound.build(
            port, target.service, target.service_port, security.per_route, sampling
        ),
    )
