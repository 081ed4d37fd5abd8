"""Hosts: what a short name means, and whether anything answers to it. Pure.

Source: Istio's rule that a short name belongs to the namespace of the object that names it.
"""

from __future__ import annotations

from typing import Final

from meshcourse.embedded.addons.kiali.mesh import Mesh
from meshcourse.embedded.kube import objects, refs

DOMAIN: Final = "svc.cluster.local"


def full(host: str, namespace: str, mesh: Mesh) -> str:
    """The host in full, if it is that of a Service; others as they are."""
    parts = host.split(".")
    if len(parts) == 1 and host != "*":
        return f"{host}.{namespace}.{DOMAIN}"
    if len(parts) == 2 and parts[1] in mesh.namespaces:
        return f"{host}.{DOMAIN}"
    if len(parts) == 3 and parts[2] == "svc":
        return f"{host}.cluster.local"
    return host


def service_of(host: str) -> tuple[str, str] | None:
    """Namespace and name of the Service with this full host; None for foreign hosts."""
    parts = host.split(".")
    if ".".join(parts[2:]) != DOMAIN or "*" in host:
        return None
    return parts[1], parts[0]


def within(host: str, pattern: str) -> bool:
    """Whether `pattern` (exact, ``*`` or ``*.suffix``) covers `host`."""
    if pattern == "*" or pattern == host:
        return True
    return pattern.startswith("*.") and host.endswith(pattern[1:])


def known(host: str, mesh: Mesh) -> bool:
    """Whether a Service or a ServiceEntry has this full host."""
    if host.startswith("*") or service_of(host) in mesh.services:
        return True
    return any(
        within(host, pattern)
        for entry in mesh.all(refs.SERVICEENTRIES)
        for pattern in objects.dig(entry, "spec.hosts", [])
    )
