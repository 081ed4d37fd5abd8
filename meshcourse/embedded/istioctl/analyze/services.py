"""Services: names of ports, and several Services before one Deployment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from meshcourse.embedded.istioctl.analyze import mesh
from meshcourse.embedded.istioctl.analyze.analyzer import Analyzer
from meshcourse.embedded.istioctl.analyze.codes import report
from meshcourse.embedded.istioctl.analyze.collection import Collection
from meshcourse.embedded.istioctl.analyze.item import Item, lists, maps
from meshcourse.embedded.istioctl.analyze.messages import Messages

_MANAGED: Final = "gateway.istio.io/managed"
_MESH_CONTROLLER: Final = "istio.io-mesh-controller"
_CONTROLLERS: Final = frozenset(
    ("istio.io-gateway-controller", _MESH_CONTROLLER, "istio.io-eastwest-controller")
)
#: Prefixes of port names, and the protocols that they stand for.
PROTOCOLS: Final = {
    "tcp": "TCP",
    "udp": "UDP",
    "grpc": "GRPC",
    "grpc-web": "GRPC-Web",
    "http": "HTTP",
    "http_proxy": "HTTP_PROXY",
    "http2": "HTTP2",
    "https": "HTTPS",
    "tls": "TLS",
    "mongo": "Mongo",
    "redis": "Redis",
    "mysql": "MySQL",
}
UNSUPPORTED: Final = "UnsupportedProtocol"
_KUBERNETES: Final = {
    "kubernetes.io/h2c": "HTTP2",
    "kubernetes.io/ws": "HTTP",
    "kubernetes.io/wss": "HTTPS",
}
#: SMTP, DNS, MySQL, MongoDB: taken as TCP, for the server speaks first.
_WELL_KNOWN: Final = frozenset((25, 53, 3306, 27017))


def protocol(port: Mapping[str, Any]) -> str:
    """How Istio takes a Service's port; `UNSUPPORTED` means that it looks at the traffic."""
    if port.get("protocol") == "UDP":
        return "UDP"
    declared = port.get("appProtocol")
    if declared in _KUBERNETES:
        return _KUBERNETES[str(declared)]
    name = str(port.get("name") or "" if declared is None else declared).lower()
    prefix = "grpc-web" if name.startswith("grpc-web") else name.partition("-")[0]
    default = "TCP" if port.get("port") in _WELL_KNOWN else UNSUPPORTED
    return PROTOCOLS.get(prefix, default)


def port_names(objects: Collection) -> Messages:
    for service in objects.all("Service"):
        if mesh.control_plane(service) or service.labels.get(_MANAGED) in _CONTROLLERS:
            continue
        external = service.spec.get("type") == "ExternalName"
        for i, port in enumerate(lists(service.spec.get("ports"))):
            name, at = str(port.get("name") or ""), f"spec.ports[{i}].port"
            if protocol(port) != UNSUPPORTED and not (external and name == "tcp"):
                continue
            if external:
                yield report("ExternalNameServiceTypeInvalidPortName", service, at=at)
            else:
                arguments = name, port.get("port", 0), port.get("targetPort", 0)
                yield report("PortNameIsNotUnderNamingConvention", service, *arguments, at=at)


def associations(objects: Collection) -> Messages:
    """Services of one Deployment that disagree about a port."""
    for deployment in objects.all("Deployment"):
        waypoint = deployment.labels.get(_MANAGED) == _MESH_CONTROLLER
        if not waypoint and mesh.deployment_in_mesh(deployment, objects):
            ports = list(_ports(deployment, objects))
            yield from _protocols(deployment, ports)
            yield from _targets(deployment, ports)


_Port = tuple[str, Mapping[str, Any]]


def _ports(deployment: Item, objects: Collection) -> Iterator[_Port]:
    """Name of the Service and port, for every Service that selects the Deployment's pods."""
    template = maps(maps(deployment.spec.get("template")).get("metadata"))
    for service in objects.all("Service"):
        selector = maps(service.spec.get("selector"))
        near = service.namespace == deployment.namespace
        if near and selector and mesh.selects(selector, maps(template.get("labels"))):
            yield from ((service.full, port) for port in lists(service.spec.get("ports")))


def _protocols(deployment: Item, ports: list[_Port]) -> Messages:
    by_port: dict[int, list[tuple[str, str]]] = {}
    for service, port in ports:
        by_port.setdefault(port["port"], []).append((service, port.get("protocol") or "TCP"))
    for number, found in sorted(by_port.items()):
        if len({kind for _, kind in found}) > 1:
            services = sorted(service for service, _ in found)
            name = "DeploymentAssociatedToMultipleServices"
            yield report(name, deployment, deployment.name, number, services, at="metadata.name")


def _targets(deployment: Item, ports: list[_Port]) -> Messages:
    by_target: dict[str, dict[int, str]] = {}
    for service, port in ports:
        target = str(port.get("targetPort") or port["port"])
        by_target.setdefault(target, {})[port["port"]] = service
    for target, found in sorted(by_target.items()):
        if len(found) > 1:
            services, numbers = sorted(found.values()), sorted(found)
            arguments = deployment.name, services, target, numbers
            yield report("DeploymentConflictingPorts", deployment, *arguments, at="metadata.name")


ANALYZERS: Final = (
    Analyzer(
        "service.PortNameAnalyzer",
        "Checks the port names associated with each service",
        ("Service",),
        port_names,
    ),
    Analyzer(
        "deployment.MultiServiceAnalyzer",
        "Checks association between services and pods",
        ("Service", "Deployment", "Namespace"),
        associations,
    ),
)
