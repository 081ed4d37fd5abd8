"""The ports of a pod: what its containers declare and what services select there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from meshcourse.embedded.istio.ingest import protocols
from meshcourse.embedded.istio.model import (
    Port,
    Protocol,
    Proxy,
    Service,
    ServiceKey,
    Snapshot,
    Workload,
)


@dataclass(frozen=True, slots=True)
class Target:
    """One port of a pod.

    :param number: the container port.
    :param service: the oldest service that selects the pod on this port, None if none does.
    :param service_port: that service's port number (the container port without a service).
    """

    number: int
    protocol: Protocol
    service: Service | None
    service_port: int


def targets(snapshot: Snapshot, proxy: Proxy) -> list[Target]:
    """The pod's ports in order of their numbers; the oldest service decides on the protocol."""
    found: dict[int, Target] = {}
    for service in services(snapshot, proxy.workload):
        for port in service.ports:
            number = container_port(port, proxy.workload)
            if port.protocol is not Protocol.UDP and number:
                found.setdefault(number, Target(number, port.protocol, service, port.number))
    for declared in proxy.workload.ports:
        if declared.protocol == "TCP":
            protocol = protocols.of_port(declared.number, "")
            found.setdefault(
                declared.number, Target(declared.number, protocol, None, declared.number)
            )
    return [found[number] for number in sorted(found)]


def services(snapshot: Snapshot, workload: Workload) -> Iterator[Service]:
    """The Kubernetes services whose selector matches the pod, oldest first."""
    labels = workload.labels.items()
    for key, service in snapshot.services.items():
        if _selects(key, service, workload, labels):
            yield service


def _selects(key: ServiceKey, service: Service, workload: Workload, labels: object) -> bool:
    if key.namespace != workload.namespace or not service.selector:
        return False
    return set(service.selector) <= set(labels)  # type: ignore[call-overload, no-any-return]


def container_port(port: Port, workload: Workload) -> int:
    """The number a service port's target stands for in a pod; 0 if the pod has no port of that
    name.
    """
    if isinstance(port.target, int):
        return port.target
    if str(port.target).isdigit():
        return int(port.target)
    if not port.target:
        return port.number
    return next((one.number for one in workload.ports if one.name == port.target), 0)
