"""What a cluster's DNS knows: names of Services. Where endpoints are given by name, those are resolved here.

On a real cluster Envoy asks CoreDNS for ``api.world.svc.cluster.local`` and gets the cluster IP. On one machine there
is no such server to ask; the answer is the same, and translation has it at hand. Other names are left to Envoy and the
machine's own DNS.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from meshcourse.embedded.istio.model import Endpoint, Service

Names = Mapping[str, Service]


def names(services: Iterable[Service], domain: str) -> Names:
    """Every name that a pod may give a Service of another namespace, lower case."""
    found: dict[str, Service] = {}
    for one in services:
        short = f"{one.name}.{one.namespace}".lower()
        for suffix in ("", ".svc", f".svc.{domain}"):
            found[f"{short}{suffix}"] = one
    return found


def resolve(
    ports: Mapping[int, tuple[Endpoint, ...]], known: Names
) -> dict[int, tuple[Endpoint, ...]]:
    """The endpoints of a service by port, with names of Services replaced by their cluster IPs."""
    return {port: tuple(_address(one, known) for one in found) for port, found in ports.items()}


def _address(one: Endpoint, known: Names) -> Endpoint:
    service = known.get(one.address.lower().removesuffix("."))
    virtual = service.virtual if service is not None else ()
    for port, host, number in virtual:
        if port == one.port:
            return replace(one, address=host, port=number)
    return one
