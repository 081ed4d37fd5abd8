"""ServiceEntries and WorkloadEntries → services and endpoints of the registry.

Source: istio.io reference of ServiceEntry; pilot's conversion: each host is a service; endpoints
are those written, those that a
``workloadSelector`` selects (pods and WorkloadEntries of the namespace), or the host itself if it
is to be resolved by DNS.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from meshcourse.embedded.istio.ingest import endpoints, protocols, workloads
from meshcourse.embedded.istio.model import (
    Config,
    Endpoint,
    MeshConfig,
    Port,
    Protocol,
    Resolution,
    Service,
    Workload,
)
from meshcourse.embedded.kube.addresses import PodAddresses

_RESOLUTIONS: Final = {
    "NONE": Resolution.PASSTHROUGH,
    "STATIC": Resolution.CLIENT_SIDE,
    "DNS": Resolution.DNS,
    "DNS_ROUND_ROBIN": Resolution.DNS_ROUND_ROBIN,
    "DYNAMIC_DNS": Resolution.DYNAMIC_DNS,
}
_UNIX: Final = "unix://"
_BY_NAME: Final = frozenset((Resolution.DNS, Resolution.DNS_ROUND_ROBIN))


def services(config: Config, mesh: MeshConfig) -> list[Service]:
    """One service for each host of a ServiceEntry."""
    spec = config.spec
    selector = (spec.get("workloadSelector") or {}).get("labels") or {}
    return [
        Service(
            hostname=str(host).lower(),
            namespace=config.namespace,
            name=str(host),
            ports=tuple(_port(one) for one in spec.get("ports") or []),
            addresses=tuple(one for one in spec.get("addresses") or [] if "/" not in one),
            resolution=_RESOLUTIONS.get(spec.get("resolution") or "NONE", Resolution.PASSTHROUGH),
            external=(spec.get("location") or "MESH_EXTERNAL") == "MESH_EXTERNAL",
            registry="External",
            export_to=frozenset(spec.get("exportTo") or mesh.default_service_export_to),
            selector=tuple(sorted(selector.items())),
            labels=config.labels,
            annotations=config.annotations,
            created=config.created,
            subject_alt_names=tuple(spec.get("subjectAltNames") or ()),
        )
        for host in spec.get("hosts") or []
    ]


def _port(port: Mapping[str, Any]) -> Port:
    number = int(port.get("number") or 0)
    protocol = protocols.parse(port.get("protocol") or "")
    return Port(number, port.get("name") or "", protocol, int(port.get("targetPort") or number))


def workload_entry(config: Config, mesh: MeshConfig) -> Workload:
    """A WorkloadEntry as a workload; metadata labels go before those of the spec."""
    return _workload(config.spec, config.namespace, config.name, config.labels, mesh)


def _workload(
    spec: Mapping[str, Any],
    namespace: str,
    name: str,
    labels: Mapping[str, str],
    mesh: MeshConfig,
) -> Workload:
    address = str(spec.get("address") or "")
    merged = {**(spec.get("labels") or {}), **labels}
    account = str(spec.get("serviceAccount") or "")
    return Workload(
        namespace=namespace,
        name=name,
        addresses=PodAddresses(address, address),
        labels=merged,
        annotations={},
        service_account=account,
        workload=name,
        workload_kind="WorkloadEntry",
        canonical_service=workloads.canonical_service(merged, name),
        canonical_revision=workloads.canonical_revision(merged),
        proxy="sidecar" if account and endpoints.TLS_MODE_LABEL not in merged else "",
        locality=str(spec.get("locality") or ""),
        topology=workloads.topology(str(spec.get("locality") or "")),
    )


def service_endpoints(
    config: Config,
    service: Service,
    entries: Iterable[tuple[Config, Workload]],
    pods: Iterable[Workload],
    mesh: MeshConfig,
) -> dict[int, tuple[Endpoint, ...]]:
    """The endpoints of one host of a ServiceEntry by port.

    :param entries: all WorkloadEntries with their workloads; `pods` are all pods.
    """
    found: list[tuple[Mapping[str, Any], Workload | None]] = list(_written(config, mesh))
    if not found and service.selector:
        found = list(_selected(service, entries, pods))
    if not found and service.resolution in _BY_NAME and not service.selector:
        found = [({"address": service.hostname}, None)]
    return {
        port.number: tuple(_endpoint(spec, workload, port) for spec, workload in found)
        for port in service.ports
        if port.protocol is not Protocol.UDP
    }


def _written(config: Config, mesh: MeshConfig) -> Iterator[tuple[Mapping[str, Any], Workload]]:
    for number, spec in enumerate(config.spec.get("endpoints") or []):
        if not spec.get(
            "address"
        ):  # it stands for the gateway of another network; there is none here
            continue
        name = f"{config.name}-{number}"
        yield spec, _workload(spec, config.namespace, name, {}, mesh)


def _selected(
    service: Service, entries: Iterable[tuple[Config, Workload]], pods: Iterable[Workload]
) -> Iterator[tuple[Mapping[str, Any], Workload]]:
    wanted = set(service.selector)
    for config, workload in entries:
        if not _usable(str(config.spec.get("address") or ""), service):
            continue
        if config.namespace == service.namespace and wanted <= set(workload.labels.items()):
            yield config.spec, workload
    for pod in pods:
        if pod.namespace == service.namespace and wanted <= set(pod.labels.items()):
            yield {}, pod


def _usable(address: str, service: Service) -> bool:
    """Whether an Envoy can be told the address: names only where it resolves them."""
    if not address or service.resolution in _BY_NAME or address.startswith(_UNIX):
        return bool(address)
    try:
        ipaddress.ip_address(address)
    except ValueError:
        return False
    return True


def _endpoint(spec: Mapping[str, Any], workload: Workload | None, port: Port) -> Endpoint:
    """Port: of the endpoint by name, else the target port."""
    address = str(spec.get("address") or "")
    number = int((spec.get("ports") or {}).get(port.name) or port.target or port.number)
    if workload is None:
        return Endpoint(address, number)
    if not spec:
        return endpoints.of_workload(workload, number)
    return Endpoint(
        address=address,
        port=number,
        labels=tuple(sorted(workload.all_labels.items())),
        service_account=workload.service_account,
        workload=workload if workload.service_account else None,
        tls_mode=endpoints.tls_mode(workload),
        locality=workload.locality,
        weight=int(spec.get("weight") or 0),
        network=str(spec.get("network") or ""),
    )


def of_kubernetes(
    service: Service, entries: Sequence[tuple[Config, Workload]]
) -> dict[int, tuple[Endpoint, ...]]:
    """Endpoints that WorkloadEntries add to a Kubernetes Service whose selector they match."""
    if not service.selector:
        return {}
    found = list(_selected(service, entries, ()))
    return {
        port.number: tuple(_endpoint(spec, workload, port) for spec, workload in found)
        for port in service.ports
        if found and isinstance(port.target, int)
    }
