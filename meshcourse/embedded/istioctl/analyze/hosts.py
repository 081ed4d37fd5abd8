"""Which service a host in a rule means, and where it is visible.

Source: istio.io reference of VirtualService (short names), ServiceEntry and Service (exportTo).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from meshcourse.embedded.istioctl.analyze.collection import Collection
from meshcourse.embedded.istioctl.analyze.item import Item, lists, maps

ALL: Final = "*"
_LOCAL: Final = "."
_DOMAIN: Final = "svc.cluster.local"
_FQDN: Final = re.compile(rf"^(.+)\.(.+)\.{re.escape(_DOMAIN)}$")
_EXPORT: Final = "networking.istio.io/exportTo"


class Scoped(NamedTuple):
    """A full host name, and the namespace in which it counts (``*``: everywhere)."""

    scope: str
    host: str

    def __str__(self) -> str:
        return f"{self.scope}/{self.host}"


@dataclass(frozen=True, slots=True)
class Target:
    """What a host leads to."""

    ports: tuple[int, ...]
    workload: Mapping[str, str] = field(default_factory=dict)


def full(host: str, namespace: str) -> str:
    """A short name made full; names with a dot and wildcards are taken as they are."""
    return host if host.startswith("*") or "." in host else f"{host}.{namespace}.{_DOMAIN}"


def service_name(host: str, namespace: str) -> tuple[str, str]:
    """Namespace and name of the service that a host means; other names count as of `namespace`."""
    found = _FQDN.match(host)
    return (found[2], found[1]) if found else (namespace, host)


def scopes(export_to: Sequence[Any], namespace: str) -> set[str]:
    """The namespaces to which something is exported; {"*"} for all."""
    if not export_to or ALL in export_to:
        return {ALL}
    return {namespace if one == _LOCAL else str(one) for one in export_to}


def targets(objects: Collection) -> dict[Scoped, Target]:
    """Every host of the mesh: of ServiceEntries and of Services."""
    found: dict[Scoped, Target] = {}
    for entry in objects.all("ServiceEntry"):
        target = Target(_numbers(entry, "number"), _workload(entry))
        where = scopes(lists(entry.spec.get("exportTo")), entry.namespace)
        for host in lists(entry.spec.get("hosts")):
            found |= _under(where, full(str(host), entry.namespace), target)
    for service in objects.all("Service"):
        exported = service.annotations.get(_EXPORT, "")
        words = [word.strip() for word in exported.split(",")] if exported else []
        host = full(service.name, service.namespace)
        target = Target(_numbers(service, "port"))
        found |= _under(scopes(words, service.namespace), host, target)
    return found


def _under(where: Iterable[str], host: str, target: Target) -> dict[Scoped, Target]:
    return {Scoped(scope, host): target for scope in where}


def _numbers(item: Item, key: str) -> tuple[int, ...]:
    return tuple(int(port.get(key) or 0) for port in lists(item.spec.get("ports")))


def _workload(entry: Item) -> Mapping[str, str]:
    return maps(maps(entry.spec.get("workloadSelector")).get("labels"))


def look_up(
    host: str, namespace: str, export_to: Sequence[Any], found: Mapping[Scoped, Target]
) -> Target | None:
    """The target of a host in a rule of `namespace`; wildcard hosts are asked last."""
    name = full(host, namespace)
    visible = [namespace if one == _LOCAL else str(one) for one in export_to] or [namespace]
    for scope in (ALL, *visible):
        if Scoped(scope, name) in found:
            return found[Scoped(scope, name)]
    for key, target in found.items():
        known = key.host.startswith("*") and key.scope in (ALL, namespace)
        if known and host.removeprefix("*").endswith(key.host.removeprefix("*")):
            return target
    return None
