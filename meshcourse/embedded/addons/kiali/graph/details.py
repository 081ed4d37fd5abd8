"""What Istio's objects say about nodes: virtual services, circuit breakers, gateways. Pure.

Source: Kiali's badges: VS, circuit breaker, fault injection, traffic shifting, request routing, timeouts, mirroring.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from meshcourse.embedded.addons.kiali.graph import model
from meshcourse.embedded.addons.kiali.graph.model import Node, TrafficMap
from meshcourse.embedded.addons.kiali.mesh import Mesh, app_of, carries
from meshcourse.embedded.kube import objects, refs
from meshcourse.embedded.kube.objects import Object

_Route = dict[str, Any]
_GATEWAY_FIELDS: Final = {"IngressGateways": "ingressInfo", "EgressGateways": "egressInfo"}


def _shifts(route: _Route) -> bool:
    return sum(1 for one in route.get("route") or () if one.get("weight")) > 1


#: Marks of a service node, and what a route of its virtual service must have for them.
_HTTP_MARKS: Final[dict[str, Callable[[_Route], object]]] = {
    "hasFaultInjection": lambda route: route.get("fault"),
    "hasMirroring": lambda route: route.get("mirror") or route.get("mirrors"),
    "hasRequestTimeout": lambda route: route.get("timeout"),
    "hasTrafficShifting": _shifts,
    "hasRequestRouting": lambda route: route.get("match"),
}


def decorate(nodes: TrafficMap, mesh: Mesh) -> None:
    """Put the badges on all nodes."""
    for node in nodes.values():
        if node.type == "service":
            _virtual_services(node, mesh)
            service = mesh.services.get((node.namespace, node.service))
            if service and not node.app:
                node.app = app_of(objects.labels(service))
        elif node.workload:
            _gateway(node, mesh)
        if any(_breaks(rule, node) for rule in mesh.all(refs.DESTINATIONRULES)):
            node.marks["hasCB"] = True


def mark_service_entries(nodes: TrafficMap, mesh: Mesh) -> None:
    """``isServiceEntry`` on service nodes that stand for a host which a ServiceEntry has made known."""
    for node in nodes.values():
        if node.type != "service" or (node.namespace, node.service) in mesh.services:
            continue
        for entry in mesh.all(refs.SERVICEENTRIES):
            listed = objects.dig(entry, "spec.hosts", [])
            if any(_covers(pattern, node.service) for pattern in listed):
                node.marks["isServiceEntry"] = {
                    "hosts": listed,
                    "location": objects.dig(entry, "spec.location", "MESH_EXTERNAL"),
                    "namespace": objects.namespace(entry),
                }


def _covers(pattern: str, host: str) -> bool:
    return pattern == host or (pattern.startswith("*.") and host.endswith(pattern[1:]))


def service_of(host: str, namespace: str) -> tuple[str, str]:
    """Namespace and name of the Service that a host means, from where it is written."""
    parts = host.split(".")
    return (parts[1] if len(parts) > 1 else namespace), parts[0]


def routes(obj: Object) -> Iterator[tuple[str, int, _Route]]:
    """Protocol, index and content of all routes of a VirtualService."""
    spec = obj.get("spec") or {}
    for protocol in ("http", "tcp", "tls"):
        for index, route in enumerate(spec.get(protocol) or ()):
            yield protocol, index, route or {}


def destinations(route: _Route) -> Iterator[tuple[int, Object]]:
    """Index and destination of each of a route's shares."""
    for index, share in enumerate(route.get("route") or ()):
        yield index, (share or {}).get("destination") or {}


def _virtual_services(node: Node, mesh: Mesh) -> None:
    for obj in mesh.all(refs.VIRTUALSERVICES):
        space = objects.namespace(obj)
        served = {
            service_of(destination.get("host", ""), space)
            for _, _, route in routes(obj)
            for _, destination in destinations(route)
        }
        # An abort needs no destination, so what the virtual service is for counts as well.
        served |= {service_of(host, space) for host in objects.dig(obj, "spec.hosts", [])}
        if (node.namespace, node.service) in served:
            _mark_routes(node, obj)


def _mark_routes(node: Node, obj: Object) -> None:
    known = node.marks.setdefault("hasVS", {"hostnames": []})
    known["hostnames"] += objects.dig(obj, "spec.hosts", [])
    for protocol, _, route in routes(obj):
        if protocol == "tcp" and _shifts(route):
            node.marks["hasTCPTrafficShifting"] = True
        if protocol != "http":
            continue
        for name, present in _HTTP_MARKS.items():
            if present(route):
                node.marks[name] = True


def _breaks(rule: Object, node: Node) -> bool:
    """Whether a destination rule limits connections or ejects endpoints of what a node serves."""
    spec = rule.get("spec") or {}
    target = service_of(spec.get("host", ""), objects.namespace(rule))
    served = {(space, name) for _, space, name in node.destinations}
    if node.type == "service":
        served = {(node.namespace, node.service)}
    if target not in served:
        return False
    if _limits(spec):
        return True
    subsets = [one for one in spec.get("subsets") or () if _limits(one)]
    if node.type == "service" or not model.ok(node.version):
        return bool(subsets)
    return any((one.get("labels") or {}).get("version") == node.version for one in subsets)


def _limits(spec: Object) -> bool:
    policy = spec.get("trafficPolicy") or {}
    return bool(policy.get("connectionPool") or policy.get("outlierDetection"))


def _gateway(node: Node, mesh: Mesh) -> None:
    workload = mesh.workloads.get((node.namespace, node.workload))
    if workload is None or not workload.gateway:
        return
    field = _GATEWAY_FIELDS.get(workload.labels.get("operator.istio.io/component", ""))
    for gateway in mesh.all(refs.GATEWAYS):
        chosen = objects.dig(gateway, "spec.selector", {})
        if field and chosen and carries(workload.labels, chosen):
            hosts = [
                host
                for server in objects.dig(gateway, "spec.servers", [])
                for host in server.get("hosts") or ()
            ]
            known = node.marks.setdefault("isGateway", {field: {"hostnames": []}})
            known[field]["hostnames"] += hosts
    name = workload.labels.get("gateway.networking.k8s.io/gateway-name")
    for gateway in mesh.within(refs.K8S_GATEWAYS, node.namespace):
        if objects.name(gateway) == name:
            listeners = objects.dig(gateway, "spec.listeners", [])
            hosts = [one["hostname"] for one in listeners if one.get("hostname")] or ["*"]
            node.marks |= {
                "isGateway": {"gatewayAPIInfo": {"hostnames": hosts}},
                "isK8sGatewayAPI": True,
            }
