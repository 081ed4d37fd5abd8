"""The registry: services and endpoints of Kubernetes and of ServiceEntries together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from meshcourse.embedded.istio.ingest import (
    cluster_dns,
    endpoints,
    memory,
    service_entries,
    services,
)
from meshcourse.embedded.istio.model import Config, MeshConfig, Service, ServiceKey, Workload
from meshcourse.embedded.kube import refs
from meshcourse.embedded.kube.objects import Key, Object

Registry = tuple[Mapping[ServiceKey, Service], Mapping[ServiceKey, endpoints.ByPort]]
Configs = Mapping[refs.Resource, tuple[Config, ...]]


def build(
    kubernetes: Iterable[Object],
    slices: Iterable[Object],
    configs: Configs,
    pods: Mapping[Key, Workload],
    known: memory.Memory,
    mesh: MeshConfig,
) -> Registry:
    """Services by namespace and host name, oldest first; a Kubernetes Service goes before a
    ServiceEntry.
    """
    found = known.each("services", kubernetes, lambda obj: services.parse(obj, mesh), mesh)
    parsed = known.each("slices", slices, endpoints.parse)
    entries = configs.get(refs.SERVICEENTRIES, ())
    others = configs.get(refs.WORKLOADENTRIES, ())
    external = known.derived(
        "external",
        lambda: _external(entries, others, pods, found, mesh),
        entries,
        others,
        pods,
        found,
        mesh,
    )
    by_service = known.derived(
        "endpoints",
        lambda: _kubernetes(parsed.values(), found, pods, others, mesh),
        found,
        parsed,
        pods,
        others,
        mesh,
    )
    return known.derived(
        "registry",
        lambda: _joined(found, by_service, external, known.previous("registry")),
        found,
        by_service,
        external,
    )


_External = list[tuple[Service, endpoints.ByPort]]


def _external(
    entries: Iterable[Config],
    others: Iterable[Config],
    pods: Mapping[Key, Workload],
    found: Mapping[Key, Service],
    mesh: MeshConfig,
) -> _External:
    machines = [(one, service_entries.workload_entry(one, mesh)) for one in others]
    names = cluster_dns.names(found.values(), mesh.domain)
    result: _External = []
    for config in entries:
        for service in service_entries.services(config, mesh):
            ports = service_entries.service_endpoints(
                config, service, machines, pods.values(), mesh
            )
            result.append((service, cluster_dns.resolve(ports, names)))
    return result


def _kubernetes(
    slices: Iterable[endpoints.Slice],
    found: Mapping[Key, Service],
    pods: Mapping[Key, Workload],
    others: Iterable[Config],
    mesh: MeshConfig,
) -> dict[Key, endpoints.ByPort]:
    result = endpoints.by_service(slices, found, pods)
    machines = [(one, service_entries.workload_entry(one, mesh)) for one in others]
    if not machines:
        return result
    for key, service in found.items():
        added = service_entries.of_kubernetes(service, machines)
        ports = result[key]
        result[key] = {port: (*one, *added.get(port, ())) for port, one in ports.items()}
    return result


def _joined(
    found: Mapping[Key, Service],
    by_service: Mapping[Key, endpoints.ByPort],
    external: _External,
    before: Registry | None,
) -> Registry:
    """Everything by host, with the previous objects wherever nothing changed."""
    old_services, old_endpoints = before or ({}, {})
    both = [(_key(one), one, ports) for one, ports in external]
    both += [(_key(one), one, by_service[key]) for key, one in found.items()]
    both.sort(key=lambda item: (item[1].created, item[1].registry != "Kubernetes", item[0]))
    kubernetes = {_key(one) for one in found.values()}
    chosen: dict[ServiceKey, Service] = {}
    chosen_endpoints: dict[ServiceKey, endpoints.ByPort] = {}
    for key, service, ports in both:
        if key in chosen or (service.registry != "Kubernetes" and key in kubernetes):
            continue
        old = old_services.get(key)
        chosen[key] = old if old is not None and memory.same(old, service) else service
        chosen_endpoints[key] = _keep(old_endpoints.get(key) or {}, ports)
    return chosen, chosen_endpoints


def _key(service: Service) -> ServiceKey:
    return ServiceKey(service.namespace, service.hostname)


def _keep(before: Mapping[int, Any], now: Mapping[int, Any]) -> Mapping[int, Any]:
    if before == now:
        return before
    return {port: before[port] if before.get(port) == one else one for port, one in now.items()}
