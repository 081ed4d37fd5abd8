"""The ports of a pod: what its containers declare and what services select there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from meshcourse.embedded.istio.ingest import protocols
from meshcourse.embedded.istio.model import (
    Config,
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
    :param endpoint: where the application takes requests for this port, if not on this very port
        (``unix:///path`` or a port number, from a Sidecar).
    :param pool: ``connectionPool`` of a Sidecar, which goes before that of a DestinationRule.
    """

    number: int
    protocol: Protocol
    service: Service | None
    service_port: int
    endpoint: str | int = ""
    pool: Mapping[str, Any] | None = field(default=None, hash=False)


def targets(snapshot: Snapshot, proxy: Proxy, sidecar: Config | None = None) -> list[Target]:
    """The pod's ports in order of their numbers; the oldest service decides on the protocol.

    Ports that a Sidecar names are as it says. On real Istio the others are then passed through
    without looking into them; here they stay as they are.
    """
    spec = sidecar.spec if sidecar else {}
    found = {one.number: one for one in _own(snapshot, proxy)}
    for written in spec.get("ingress") or []:
        one = _ingress(written, found)
        found[one.number] = one
    common = spec.get("inboundConnectionPool")
    ordered = (found[number] for number in sorted(found))
    return [replace(one, pool=common) if common and one.pool is None else one for one in ordered]


def _ingress(written: Mapping[str, Any], known: Mapping[int, Target]) -> Target:
    """One ingress listener; it belongs to the service that is known for its port."""
    port = written.get("port") or {}
    number = int(port.get("number") or 0)
    same = known.get(number)
    endpoint = str(written.get("defaultEndpoint") or "")
    if not endpoint.startswith("unix://"):
        _, _, text = endpoint.rpartition(":")
        endpoint = text
    return Target(
        number=number,
        protocol=protocols.parse(port.get("protocol") or ""),
        service=same.service if same else None,
        service_port=same.service_port if same else number,
        endpoint=int(endpoint) if endpoint.isdigit() else endpoint,
        pool=written.get("connectionPool"),
    )


def _own(snapshot: Snapshot, proxy: Proxy) -> list[Target]:
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
    return list(found.values())


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
