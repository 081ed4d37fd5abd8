"""Which pods stand behind a Service, at which ports, in which condition. Pure.

Source: Kubernetes documentation of EndpointSlices ("Conditions", "Address types") and of Services ("Port definitions":
a named targetPort is looked up in each pod, so that pods of one Service may differ in its number).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from meshcourse.embedded.controllers import pods
from meshcourse.embedded.kube import addresses, objects
from meshcourse.embedded.kube.objects import Object


class Port(NamedTuple):
    """One port of a slice; `number` is where the pods listen on this machine."""

    name: str
    number: int
    protocol: str
    app_protocol: str

    def render(self) -> Object:
        found: Object = {"name": self.name, "port": self.number, "protocol": self.protocol}
        return found | ({"appProtocol": self.app_protocol} if self.app_protocol else {})


#: The ports that pods have in common which may share a slice.
Ports = tuple[Port, ...]


def selects(service: Object) -> bool:
    """Whether the Service has a selector of its own and thus endpoints made by the controller."""
    spec = service.get("spec") or {}
    return bool(spec.get("selector")) and spec.get("type") != "ExternalName"


def endpoints(
    service: Object, candidates: Iterable[Object], zones: dict[str, str]
) -> dict[Ports, list[Object]]:
    """The endpoints of a Service, grouped by the ports at which its pods listen.

    :param candidates: pods that match the selector.
    :param zones: zone of each node by the node's name.
    """
    groups: dict[Ports, list[Object]] = {}
    for pod in candidates:
        ip = pod_ip(pod)
        if ip and not pods.is_finished(pod):
            groups.setdefault(ports(service, pod), []).append(_endpoint(service, pod, ip, zones))
    for group in groups.values():
        group.sort(key=lambda endpoint: str(endpoint["targetRef"]["name"]))
    return groups


def pod_ip(pod: Object) -> str:
    return str(objects.dig(pod, "status.podIP", ""))


def ports(service: Object, pod: Object) -> Ports:
    """The Service's ports as this pod serves them; those that it does not name are left out."""
    found = []
    for port in service["spec"].get("ports") or []:
        number = _target(port, pod)
        if number is not None:
            protocol = port.get("protocol", "TCP")
            number = _real(pod, number)
            found.append(Port(port.get("name", ""), number, protocol, port.get("appProtocol", "")))
    return tuple(found)


def _real(pod: Object, number: int) -> int:
    """Where the system has no address per pod, the kubelet has chosen another number."""
    known = addresses.of_pod(pod)
    return number if known is None else known.pod(number)[1]


def _target(port: Object, pod: Object) -> int | None:
    target = port.get("targetPort") or port["port"]
    if isinstance(target, int):
        return target
    protocol = port.get("protocol", "TCP")
    for candidate in _container_ports(pod):
        if (candidate.get("name"), candidate.get("protocol", "TCP")) == (target, protocol):
            return int(candidate["containerPort"])
    return int(target) if target.isdigit() else None


def _container_ports(pod: Object) -> Iterable[Object]:
    """Ports of containers and of sidecars (init containers that stay)."""
    spec = pod["spec"]
    sidecars = [c for c in spec.get("initContainers") or [] if c.get("restartPolicy") == "Always"]
    for container in [*spec["containers"], *sidecars]:
        yield from container.get("ports") or []


def _endpoint(service: Object, pod: Object, ip: str, zones: dict[str, str]) -> Object:
    ready, going = pods.is_ready(pod), objects.deleting(pod)
    always = bool(service["spec"].get("publishNotReadyAddresses"))
    conditions = {"ready": always or (ready and not going), "serving": ready, "terminating": going}
    found: Object = {"addresses": [ip], "conditions": conditions}
    spec = pod["spec"]
    if spec.get("hostname") and spec.get("subdomain") == objects.name(service):
        found["hostname"] = spec["hostname"]
    found["targetRef"] = {
        "kind": "Pod",
        "namespace": objects.namespace(pod),
        "name": objects.name(pod),
        "uid": objects.uid(pod),
    }
    node = spec.get("nodeName")
    if node:
        found["nodeName"] = node
        if zones.get(node):
            found["zone"] = zones[node]
    return found


def matters(pod: Object, old: Object | None) -> bool:
    """Whether a change of a pod can change any endpoint."""
    return old is None or _facts(pod) != _facts(old)


def _facts(pod: Object) -> tuple[object, ...]:
    return (
        pod_ip(pod),
        pods.is_ready(pod),
        pods.is_finished(pod),
        objects.deleting(pod),
        objects.labels(pod),
        objects.annotations_of(pod).get(addresses.ANNOTATION),
        objects.dig(pod, "spec.nodeName"),
    )
