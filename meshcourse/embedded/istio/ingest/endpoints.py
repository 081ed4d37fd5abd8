"""EndpointSlices → endpoints by service and port. Source: pilot's EndpointSlice controller."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from meshcourse.embedded.istio.model import Endpoint, Protocol, Service, Workload
from meshcourse.embedded.kube import objects
from meshcourse.embedded.kube.objects import Key, Object

TLS_MODE_LABEL = "security.istio.io/tlsMode"

ByPort = Mapping[int, tuple[Endpoint, ...]]


@dataclass(frozen=True, slots=True)
class SliceEndpoint:
    """One address of a slice: `port` by the slice's port name; `pod` is the pod it stands for."""

    address: str
    ports: tuple[tuple[str, int], ...]
    pod: Key | None
    healthy: bool


@dataclass(frozen=True, slots=True)
class Slice:
    """One EndpointSlice. `service` is the key of the Service it belongs to."""

    service: Key
    endpoints: tuple[SliceEndpoint, ...]


def parse(obj: Object) -> Slice | None:
    """One EndpointSlice; None if it belongs to no service or holds names instead of addresses."""
    service = objects.labels(obj).get("kubernetes.io/service-name")
    if not service or obj.get("addressType") == "FQDN":
        return None
    namespace = objects.namespace(obj)
    ports = tuple(
        (port.get("name") or "", int(port["port"]))
        for port in obj.get("ports") or []
        if port.get("port")
    )
    found = (
        SliceEndpoint(address, ports, _pod(one, namespace), _ready(one))
        for one in obj.get("endpoints") or []
        for address in one.get("addresses") or []
    )
    return Slice(Key(namespace, service), tuple(found))


def _pod(endpoint: Object, namespace: str) -> Key | None:
    ref = endpoint.get("targetRef") or {}
    if ref.get("kind") != "Pod":
        return None
    return Key(ref.get("namespace") or namespace, ref["name"])


def _ready(endpoint: Object) -> bool:
    return (endpoint.get("conditions") or {}).get("ready") is not False


def by_service(
    slices: Iterable[Slice], services: Mapping[Key, Service], workloads: Mapping[Key, Workload]
) -> dict[Key, ByPort]:
    """For each Kubernetes Service, its endpoints by service port, sorted by address."""
    grouped: dict[Key, list[SliceEndpoint]] = {}
    for one in slices:
        grouped.setdefault(one.service, []).extend(one.endpoints)
    return {
        key: _of_service(service, grouped.get(key, []), workloads)
        for key, service in services.items()
    }


def _of_service(
    service: Service, found: list[SliceEndpoint], workloads: Mapping[Key, Workload]
) -> ByPort:
    if service.external_name:
        return {one.number: (Endpoint(service.external_name, one.number),) for one in service.ports}
    result: dict[int, tuple[Endpoint, ...]] = {}
    for port in service.ports:
        if port.protocol is Protocol.UDP:
            continue
        ready = (
            endpoint
            for one in found
            if one.healthy or service.publish_not_ready
            for endpoint in _of_port(one, port.name, workloads)
        )
        unique = {(one.address, one.port): one for one in ready}
        result[port.number] = tuple(unique[key] for key in sorted(unique))
    return result


def _of_port(
    one: SliceEndpoint, port_name: str, workloads: Mapping[Key, Workload]
) -> Iterator[Endpoint]:
    number = next((number for name, number in one.ports if name == port_name), None)
    if number is None:
        return
    if one.pod is None:
        yield Endpoint(one.address, number)
    elif workload := workloads.get(one.pod):
        yield of_workload(workload, number)


def of_workload(workload: Workload, port: int) -> Endpoint:
    """The endpoint that a pod is for one of its ports."""
    address, number = workload.addresses.pod(port)
    return Endpoint(
        address=address,
        port=number,
        labels=tuple(sorted(workload.all_labels.items())),
        service_account=workload.service_account,
        workload=workload,
        tls_mode=tls_mode(workload),
        locality=workload.locality,
    )


def tls_mode(workload: Workload) -> str:
    """``istio`` if a sidecar terminates mutual TLS there (the injector's label says so)."""
    if label := workload.labels.get(TLS_MODE_LABEL):
        return label
    return "istio" if workload.proxy == "sidecar" else "disabled"
