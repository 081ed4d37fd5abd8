"""What kube-proxy serves: ports of Services with their addresses and ready endpoints. Pure.

Source: Kubernetes documentation of virtual IPs and EndpointSlices (ready endpoints first; if there is none,
those that are terminating but still serve).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from meshcourse.embedded.kube import addresses, objects
from meshcourse.embedded.kube.objects import Key, Object

SERVICE_NAME = "kubernetes.io/service-name"
_EXTERNAL = ("NodePort", "LoadBalancer")
_LOOPBACK = "127.0.0.1"

Address = tuple[str, int]


@dataclass(frozen=True, slots=True)
class ServicePort:
    """One port of one Service.

    :param listen: where kube-proxy listens for it on this machine: cluster IP, node port, load balancer.
    :param endpoints: where the ready pods really listen.
    :param external: of a Service with a load balancer.
    """

    service: Key
    name: str
    port: int
    listen: tuple[Address, ...] = ()
    endpoints: tuple[Address, ...] = ()
    external: bool = False

    @property
    def cluster(self) -> str:
        """The name of its Envoy cluster."""
        return f"{self.service.namespace}/{self.service.name}:{self.port}"


@dataclass(frozen=True, slots=True)
class External:
    """A Service of type ExternalName."""

    service: Key
    host: str
    ports: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class View:
    """Everything kube-proxy knows at one moment."""

    ports: tuple[ServicePort, ...]
    externals: tuple[External, ...]


def view(services: Iterable[Object], slices: Mapping[Key, list[Object]]) -> View:
    """:param slices: EndpointSlices by their Service."""
    ports: list[ServicePort] = []
    externals: list[External] = []
    for service in sorted(services, key=objects.key):
        if objects.dig(service, "spec.type") == "ExternalName":
            externals.append(_external(service))
        else:
            ports.extend(_ports(service, slices.get(objects.key(service), [])))
    return View(tuple(ports), tuple(externals))


def service_of(slice_: Object) -> Key:
    """The Service that a slice belongs to."""
    return Key(objects.namespace(slice_), objects.labels(slice_).get(SERVICE_NAME, ""))


def _external(service: Object) -> External:
    declared = tuple(int(port["port"]) for port in objects.dig(service, "spec.ports", []))
    host = str(objects.dig(service, "spec.externalName", ""))
    return External(objects.key(service), host, declared or (80, 443))


def _ports(service: Object, slices: list[Object]) -> Iterator[ServicePort]:
    for port in objects.dig(service, "spec.ports", []):
        if (port.get("protocol") or "TCP") != "TCP":
            continue
        name = port.get("name") or ""
        yield ServicePort(
            objects.key(service),
            name,
            int(port["port"]),
            tuple(dict.fromkeys(_listen(service, port))),
            _endpoints(slices, name),
            objects.dig(service, "spec.type") == "LoadBalancer",
        )


def _listen(service: Object, port: Object) -> Iterator[Address]:
    try:
        host, number = addresses.service_endpoint(service, int(port["port"]))
    except LookupError:
        return  # headless: there is no address, names are all it has
    yield host, number
    if objects.dig(service, "spec.type") in _EXTERNAL and port.get("nodePort"):
        yield _LOOPBACK, int(port["nodePort"])
    for ingress in objects.dig(service, "status.loadBalancer.ingress", []):
        if ingress.get("ip"):
            yield ingress["ip"], number


def _endpoints(slices: list[Object], name: str) -> tuple[Address, ...]:
    ready: list[Address] = []
    serving: list[Address] = []
    for slice_ in slices:
        port = _slice_port(slice_, name)
        if port is None:
            continue
        for endpoint in slice_.get("endpoints") or []:
            conditions = endpoint.get("conditions") or {}
            found = [(host, port) for host in endpoint.get("addresses") or []]
            if conditions.get("ready") is not False:
                ready += found
            elif conditions.get("serving"):
                serving += found
    return tuple(sorted(set(ready or serving)))


def _slice_port(slice_: Object, name: str) -> int | None:
    for port in slice_.get("ports") or []:
        if (port.get("name") or "") == name and port.get("port"):
            return int(port["port"])
    return None
