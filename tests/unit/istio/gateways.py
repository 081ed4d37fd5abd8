"""Gateways of the Gateway API for tests: the objects, and the pod that istiod would run for one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from meshcourse.embedded.istio.model import Config, Converted
from meshcourse.embedded.kube import refs
from meshcourse.embedded.kube.objects import Key
from tests.unit.istio.mesh import Mesh

KINDS = {
    "GatewayClass": refs.K8S_GATEWAYCLASSES,
    "Gateway": refs.K8S_GATEWAYS,
    "HTTPRoute": refs.HTTPROUTES,
    "GRPCRoute": refs.GRPCROUTES,
    "TLSRoute": refs.TLSROUTES,
    "TCPRoute": refs.TCPROUTES,
}


def apply_gateway(mesh: Mesh, listeners: str, name: str = "edge", **spec: Any) -> None:
    """A Gateway of class ``istio`` with the listeners (YAML, flow style)."""
    extra = "".join(f", {key}: {value}" for key, value in spec.items())
    mesh.apply(
        f"""
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {{name: {name}}}
spec: {{gatewayClassName: istio, listeners: {listeners}{extra}}}
"""
    )


def deploy(mesh: Mesh, name: str = "edge") -> str:
    """Service and pod of a managed Gateway, as its description says; returns the pod's name."""
    deployed = {one.gateway: one for one in mesh.snapshot().converted.deployed}
    found = deployed[Key("default", name)]
    label = {"gateway.networking.k8s.io/gateway-name": name}
    number = len(mesh.objects.get(refs.SERVICES, ())) + 1
    mesh.add(
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": found.name, "namespace": "default"},
            "spec": {
                "type": found.service_type,
                "clusterIP": f"{mesh.network}.200.{number}",
                "selector": label,
                "ports": [
                    {"name": port_name, "port": port, "targetPort": port, "appProtocol": protocol}
                    for port_name, port, protocol in found.ports
                ],
            },
        }
    )
    first = found.ports[0][1]
    return mesh.pod(found.name, "v1", port=first, proxy="router", labels=label)


def converted(mesh: Mesh) -> Converted:
    return mesh.snapshot().converted


def rules(mesh: Mesh) -> dict[str, Config]:
    """The VirtualServices by name."""
    return {one.name: one for one in converted(mesh).rules}


def status(mesh: Mesh, kind: str, name: str, namespace: str = "default") -> Any:
    """The status of an object."""
    return converted(mesh).statuses[KINDS[kind], Key(namespace, name)]  # type: ignore[index]


def conditions(found: Mapping[str, Any]) -> dict[str, tuple[str, str, str]]:
    """Status, reason and message by type."""
    return {
        one["type"]: (one["status"], one["reason"], one["message"]) for one in found["conditions"]
    }
