"""Gateways: the pods they select, the ports and certificates of those."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any, Final

from meshcourse.embedded.istioctl.analyze import mesh
from meshcourse.embedded.istioctl.analyze.analyzer import Analyzer
from meshcourse.embedded.istioctl.analyze.codes import report
from meshcourse.embedded.istioctl.analyze.collection import Collection
from meshcourse.embedded.istioctl.analyze.item import Item, lists, maps
from meshcourse.embedded.istioctl.analyze.messages import Message, Messages


def selector(gateway: Item) -> Mapping[str, str]:
    return maps(gateway.spec.get("selector"))


def no_pods(gateway: Item) -> Message:
    """The selector selects nothing."""
    found = selector(gateway)
    at = f"spec.selector.{mesh.first_key(found)}"
    return report("ReferencedResourceNotFound", gateway, "selector", mesh.render(found), at=at)


def ports(objects: Collection) -> Messages:
    """Every server's port should be one of the Service before the gateway's pods."""
    for gateway in objects.all("Gateway"):
        pods = [p for p in objects.all("Pod") if mesh.selects(selector(gateway), p.labels)]
        if not pods:
            yield no_pods(gateway)
            continue
        open_ports = {port for pod in pods for port in _service_ports(pod, objects)}
        for server in lists(gateway.spec.get("servers")):
            number = maps(server.get("port")).get("number")
            if number is not None and number not in open_ports:
                found = selector(gateway)
                name, at = "GatewayPortNotDefinedOnService", mesh.first_key(found)
                yield report(name, gateway, number, mesh.render(found), at=f"spec.selector.{at}")


def _service_ports(pod: Item, objects: Collection) -> set[int]:
    """Ports and target ports of the Services that select a pod; a gateway may listen on either."""
    found: set[int] = set()
    for service in objects.all("Service"):
        labels = maps(service.spec.get("selector"))
        if service.namespace != pod.namespace or not mesh.selects(labels, pod.labels):
            continue
        for port in lists(service.spec.get("ports")):
            if port.get("protocol", "TCP") == "TCP":
                target = port.get("targetPort")
                found |= {port["port"], target if isinstance(target, int) else port["port"]}
    return found


def certificates(objects: Collection) -> Messages:
    """One certificate in several gateways of the same pods."""
    for gateway in objects.all("Gateway"):
        for other in objects.all("Gateway"):
            if other is gateway or not mesh.selects(selector(gateway), selector(other)):
                continue
            if any(_same(a, b) for a in _tls(gateway) for b in _tls(other)):
                names = [gateway.full, other.full]
                yield report("GatewayDuplicateCertificate", gateway, names, at="metadata.name")


def _tls(gateway: Item) -> list[dict[str, Any]]:
    return [maps(server.get("tls")) for server in lists(gateway.spec.get("servers"))]


def _same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    if one.get("credentialName") or other.get("credentialName"):
        return one.get("credentialName") == other.get("credentialName")
    keys = ("serverCertificate", "privateKey")
    return all(one.get(key) and one.get(key) == other.get(key) for key in keys)


def secrets(objects: Collection) -> Messages:
    """The Secrets that servers name must be where the gateway's pods are, and hold a certificate."""
    for gateway in objects.all("Gateway"):
        pods = (p for p in objects.all("Pod") if mesh.selects(selector(gateway), p.labels))
        home = next((pod.namespace for pod in pods), "")
        if not home:
            yield no_pods(gateway)
            continue
        for i, tls in enumerate(_tls(gateway)):
            credential, at = tls.get("credentialName"), f"spec.servers[{i}].tls.credentialName"
            if not credential:
                continue
            secret = objects.named("Secret", home, str(credential))
            if secret is None:
                kind = "ReferencedResourceNotFound"
                yield report(kind, gateway, "credentialName", credential, at=at)
            elif not valid_secret(secret.obj):
                yield report("InvalidGatewayCredential", gateway, gateway.name, home, at=at)


def valid_secret(secret: Mapping[str, Any]) -> bool:
    """Whether a Secret has a certificate (with a key) that can be read: kinds tls and generic."""
    data = maps(secret.get("data"))
    pairs = (("tls.crt", "tls.key"), ("cert", "key"))
    return any(data.get(key) and _certificate(data.get(name)) for name, key in pairs)


def _certificate(encoded: Any) -> bool:
    from cryptography import x509  # heavy, and only secrets need it

    try:
        return bool(x509.load_pem_x509_certificates(base64.b64decode(str(encoded or ""))))
    except (ValueError, binascii.Error):
        return False


ANALYZERS: Final = (
    Analyzer(
        "gateway.IngressGatewayPortAnalyzer",
        "Checks a gateway's ports against the gateway's Kubernetes service ports",
        ("Gateway", "Pod", "Service"),
        ports,
    ),
    Analyzer(
        "gateway.CertificateAnalyzer", "Checks a gateway certificate", ("Gateway",), certificates
    ),
    Analyzer(
        "gateway.SecretAnalyzer",
        "Checks a gateway's referenced secrets for correctness",
        ("Gateway", "Pod", "Secret"),
        secrets,
    ),
)
