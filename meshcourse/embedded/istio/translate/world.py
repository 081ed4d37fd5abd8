"""What translation prepares once per snapshot, before it looks at any proxy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from meshcourse.embedded.istio import (
    delegates,
    destination_rules,
    localities,
    proxy_settings,
    scope,
    sidecars,
    telemetry_api,
    virtual_services,
    visibility,
)
from meshcourse.embedded.istio.localities import Client
from meshcourse.embedded.istio.memo import Memo
from meshcourse.embedded.istio.model import Config, Proxy, ProxyKind, Snapshot
from meshcourse.embedded.istio.scope import Scope
from meshcourse.embedded.istio.virtual_services import VirtualService
from meshcourse.embedded.kube import refs


@dataclass(frozen=True, slots=True, eq=False)
class World:
    """A snapshot with its names resolved and its rules indexed."""

    snapshot: Snapshot
    rules: list[VirtualService]
    label_keys: frozenset[str]
    index: destination_rules.Index


def build(snapshot: Snapshot, memo: Memo) -> World:
    """The world of a snapshot; parts of unchanged objects are taken from `memo`."""
    mesh = snapshot.mesh
    rules = _rules(snapshot, memo)
    found = snapshot.of_kind(refs.DESTINATIONRULES)
    index = memo.get(
        "destination-rules",
        (found, mesh),
        lambda: destination_rules.Index(found, mesh, memo),
    )
    keys = virtual_services.source_label_keys(rules) | destination_rules.selector_keys(found)
    settings = [*destination_rules.locality_settings(found), mesh.locality_lb]
    keys |= localities.label_keys(settings, snapshot.services.values())
    return World(snapshot, rules, keys, index)


def _rules(snapshot: Snapshot, memo: Memo) -> list[VirtualService]:
    """VirtualServices with hosts, oldest first, with their delegates merged in."""
    mesh = snapshot.mesh
    found = {
        (config.namespace, config.name): memo.get(
            ("virtual-service", config.uid or config.qualified),
            (config, mesh),
            partial(virtual_services.resolve, config, mesh),
        )
        for config in snapshot.rules
    }
    return [_merged(rule, found, snapshot, memo) for rule in found.values() if rule.hosts]


def _merged(
    rule: VirtualService,
    found: Mapping[tuple[str, str], VirtualService],
    snapshot: Snapshot,
    memo: Memo,
) -> VirtualService:
    names = list(delegates.references(rule))
    if not names:
        return rule

    def lookup(namespace: str, name: str) -> VirtualService | None:
        delegate = found.get((namespace, name))
        default = snapshot.mesh.default_virtual_service_export_to
        if delegate is None or delegate.hosts:
            return None
        visible = visibility.of_config(delegate.config, default, rule.namespace)
        return delegate if visible else None

    used = [found.get(name) for name in names]
    key = ("delegates", rule.config.uid or rule.config.qualified)
    return memo.get(key, (rule, *used), lambda: delegates.merged(rule, lookup))


def scope_key(world: World, proxy: Proxy) -> tuple[object, ...]:
    """Proxies with equal keys share outbound configuration."""
    labels = sorted(relevant_labels(world, proxy).items())
    traced = telemetry_of(world, proxy)
    where = proxy.namespace, proxy.workload.locality
    settings = proxy_settings.of(proxy.workload, world.snapshot.mesh)
    return (proxy.kind, *where, sidecar_of(world, proxy), traced, settings.attempts, *labels)


def telemetry_of(world: World, proxy: Proxy) -> tuple[Config, ...]:
    """The Telemetry resources about tracing, whose sampling outbound routes carry."""
    snapshot = world.snapshot
    found = telemetry_api.in_force(
        snapshot.of_kind(refs.TELEMETRIES), proxy.workload, snapshot.mesh.root_namespace
    )
    return tuple(one for one in found if one.spec.get("tracing"))


def sidecar_of(world: World, proxy: Proxy) -> Config | None:
    """The Sidecar in force for a proxy; gateways have none."""
    if proxy.kind is not ProxyKind.SIDECAR:
        return None
    configs = world.snapshot.of_kind(refs.SIDECARS)
    return sidecars.select(configs, proxy.workload, world.snapshot.mesh.root_namespace)


def relevant_labels(world: World, proxy: Proxy) -> Mapping[str, str]:
    """The proxy's labels that some rule looks at."""
    labels = proxy.workload.all_labels
    return {key: labels[key] for key in world.label_keys if key in labels}


def scope_of(world: World, proxy: Proxy) -> Scope:
    """What the proxy's namespace sees."""
    client = Client(proxy.workload.locality, relevant_labels(world, proxy))
    whole = scope.build(world.snapshot, proxy.namespace, client, world.rules, world.index)
    sidecar = sidecar_of(world, proxy)
    return whole if sidecar is None else scope.restricted(whole, sidecar)
