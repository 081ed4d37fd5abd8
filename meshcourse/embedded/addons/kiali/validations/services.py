"""KIA0601, 0602 and 0701: ports of Services in the mesh. Pure.

Source: Istio's protocol selection: a port's name starts with its protocol, or ``appProtocol`` says it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from meshcourse.embedded.addons.kiali.mesh import ROOT, Mesh, carries
from meshcourse.embedded.addons.kiali.validations import codes
from meshcourse.embedded.addons.kiali.validations.codes import Finding, Key
from meshcourse.embedded.kube import objects, refs
from meshcourse.embedded.kube.objects import Object

PROTOCOLS: Final = (
    "grpc",
    "grpc-web",
    "http",
    "http2",
    "https",
    "mongo",
    "mysql",
    "redis",
    "tcp",
    "tls",
    "udp",
)
_APP_PROTOCOLS: Final = (*PROTOCOLS, "kubernetes.io/h2c", "kubernetes.io/ws", "kubernetes.io/wss")


def check(mesh: Mesh) -> Iterator[Finding]:
    for service in mesh.all(refs.SERVICES):
        key = codes.key_of(refs.SERVICES, service)
        selector = objects.dig(service, "spec.selector", {})
        if not selector:
            continue
        pods = mesh.pods(key.namespace, lambda labels, chosen=selector: carries(labels, chosen))  # type: ignore[misc]
        # Gateways bring their own proxies; what they serve is said by their Gateway objects.
        if any("sidecar.istio.io/status" in objects.annotations_of(pod) for pod in pods):
            yield from _names(key, service)
        if key.namespace != ROOT:
            yield from _targets(key, service, mesh)


def names_protocol(protocol: str, name: str) -> bool:
    """Whether a gateway's port name agrees with its protocol: an empty name, or one that starts with a protocol."""
    return bool(protocol) and (not name or matches(name))


def matches(name: str) -> bool:
    """Whether a port's name has the form ``<protocol>[-suffix]``."""
    lowered = name.lower()
    return any(lowered == one or lowered.startswith(f"{one}-") for one in PROTOCOLS)


def _names(key: Key, service: Object) -> Iterator[Finding]:
    for index, port in enumerate(objects.dig(service, "spec.ports", [])):
        if str(port.get("protocol", "TCP")).lower() == "udp":
            continue
        path = f"spec/ports[{index}]"
        if said := port.get("appProtocol"):
            if said.lower() not in _APP_PROTOCOLS:
                yield codes.found(key, "KIA0602", path)
        elif not matches(port.get("name") or ""):
            yield codes.found(key, "KIA0601", path)


def _targets(key: Key, service: Object, mesh: Mesh) -> Iterator[Finding]:
    """Ports of a Service that no container of its first Deployment declares."""
    selector = objects.dig(service, "spec.selector", {})
    found = [
        obj
        for obj in mesh.within(refs.DEPLOYMENTS, key.namespace)
        if carries(objects.dig(obj, "spec.template.metadata.labels", {}), selector)
    ]
    if not found:
        return
    containers = objects.dig(found[0], "spec.template.spec.containers", [])
    declared: set[object] = set()
    for container in containers:
        for port in container.get("ports") or ():
            declared |= {port.get("containerPort"), port.get("name")}
    for index, port in enumerate(objects.dig(service, "spec.ports", [])):
        if (port.get("targetPort") or port.get("port")) not in declared:
            yield codes.found(key, "KIA0701", f"spec/ports[{index}]")
