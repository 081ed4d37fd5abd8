"""Sidecar objects: which services and rules a workload's egress sees.

Source: istio.io reference of Sidecar; pilot's sidecar scope: a workload's own (by selector) goes
before the namespace's, that before the root namespace's; destinations of imported VirtualServices
are imported too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from meshcourse.embedded.istio import hosts, virtual_services
from meshcourse.embedded.istio.model import Config, Service, Workload
from meshcourse.embedded.istio.virtual_services import VirtualService

#: For each host name the ports that are routed; None means all of them.
Ports = dict[str, frozenset[int] | None]


def select(configs: Sequence[Config], workload: Workload, root: str) -> Config | None:
    """The Sidecar in force for a workload; None if there is none."""
    own = [one for one in configs if one.namespace == workload.namespace]
    for config in own:
        labels = _labels(config)
        if labels and labels.items() <= workload.labels.items():
            return config
    whole = (one for one in own if not _labels(one))
    mesh_wide = (one for one in configs if one.namespace == root and not _labels(one))
    return next(whole, None) or next(mesh_wide, None)


def _labels(config: Config) -> Mapping[str, str]:
    return (config.spec.get("workloadSelector") or {}).get("labels") or {}


@dataclass(frozen=True, slots=True)
class Egress:
    """One egress listener: the hosts it imports by namespace, on one port or on all."""

    port: int | None
    patterns: tuple[tuple[str, str], ...]

    def imports(self, namespace: str, host: str) -> bool:
        """Whether something of a namespace under a host name is imported."""
        return any(
            owner in ("*", namespace) and hosts.matches(host, pattern)
            for owner, pattern in self.patterns
        )


def egresses(config: Config, namespace: str) -> list[Egress]:
    """The egress listeners; without any, everything is imported."""
    found = config.spec.get("egress") or [{"hosts": ["*/*"]}]
    return [
        Egress(
            port=int((one.get("port") or {}).get("number") or 0) or None,
            patterns=tuple(_pattern(text, namespace) for text in one.get("hosts") or []),
        )
        for one in found
    ]


def _pattern(text: str, namespace: str) -> tuple[str, str]:
    owner, _, host = text.partition("/")
    return (namespace if owner == "." else owner), host.lower()


def rules(found: Sequence[VirtualService], listeners: Iterable[Egress]) -> list[VirtualService]:
    """The VirtualServices that any listener imports."""
    egress = list(listeners)
    return [
        rule
        for rule in found
        if any(one.imports(rule.namespace, host) for one in egress for host in rule.hosts)
    ]


def served(services: Mapping[str, Service], listeners: Iterable[Egress]) -> Ports:
    """The services that listeners import, with their ports."""
    result: Ports = {}
    for one in listeners:
        for host, service in services.items():
            if one.imports(service.namespace, host):
                _add(result, host, one.port)
    return result


def _add(result: Ports, host: str, port: int | None) -> None:
    known = result.get(host, frozenset())
    result[host] = None if port is None or known is None else known | {port}


def reached(
    imported: Iterable[VirtualService], services: Mapping[str, Service], known: Ports
) -> Iterator[str]:
    """Destinations of imported rules that are not imported themselves: clusters without routes."""
    for rule in imported:
        for destination in virtual_services.destinations(rule):
            host = str(destination.get("host") or "")
            if host in services and host not in known:
                yield host


def outbound_policy(config: Config | None, default: str) -> str:
    """``ALLOW_ANY`` or ``REGISTRY_ONLY``; a Sidecar that names a policy without a mode means the
    latter.
    """
    policy: Mapping[str, Any] | None = (config.spec if config else {}).get("outboundTrafficPolicy")
    return default if policy is None else str(policy.get("mode") or "REGISTRY_ONLY")
