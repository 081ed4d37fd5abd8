"""Which EnvoyFilters act on a proxy, in which order, and what they ask for."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from meshcourse import versions
from meshcourse.embedded.istio import names, policies
from meshcourse.embedded.istio.model import Config, Json, Proxy
from meshcourse.embedded.istio.patches import merging

ANY: Final = "ANY"
INBOUND: Final = "SIDECAR_INBOUND"
OUTBOUND: Final = "SIDECAR_OUTBOUND"
GATEWAY: Final = "GATEWAY"

_INSERTED: Final = frozenset(("INSERT_AFTER", "INSERT_BEFORE", "INSERT_FIRST"))
#: Where the place of an insertion counts; elsewhere it is an ADD.
_ORDERED: Final = frozenset(("HTTP_FILTER", "NETWORK_FILTER", "HTTP_ROUTE", "LISTENER_FILTER"))


@dataclass(frozen=True, slots=True, eq=False)
class Patch:
    """One ``configPatches`` entry.

    :param target: ``applyTo``.
    :param match: ``match`` as written.
    """

    target: str
    operation: str
    match: Mapping[str, Any]
    value: Json

    def meant_for(self, context: str) -> bool:
        """Whether it acts in a context (`INBOUND`, `OUTBOUND`, `GATEWAY`)."""
        return self.context in (ANY, context)

    @property
    def context(self) -> str:
        return str(self.match.get("context") or ANY)

    def part(self, name: str) -> Mapping[str, Any]:
        """The condition on ``listener``, ``routeConfiguration`` or ``cluster``."""
        return self.match.get(name) or {}


def in_force(configs: Sequence[Config], proxy: Proxy, root: str) -> tuple[Config, ...]:
    """The EnvoyFilters of the root namespace and of the proxy's own that select it, in order."""
    found = [one for one in configs if _selects(one, proxy, root)]
    return tuple(
        sorted(
            found,
            key=lambda one: (
                int(one.spec.get("priority") or 0),
                one.namespace != root,
                one.created,
                one.qualified,
            ),
        )
    )


def _selects(config: Config, proxy: Proxy, root: str) -> bool:
    if config.namespace not in (root, proxy.namespace):
        return False
    if config.spec.get("targetRefs"):
        return policies.attached(config, proxy.workload)
    labels = (config.spec.get("workloadSelector") or {}).get("labels") or {}
    return bool(labels.items() <= proxy.workload.labels.items())


def chosen(configs: Sequence[Config], proxy: Proxy) -> tuple[bool, ...]:
    """For each patch of these EnvoyFilters whether it fits the proxy."""
    known = _metadata(proxy)
    return tuple(_fits(one.get("match") or {}, known) for one in _entries(configs))


def patches(configs: Sequence[Config], fitting: Sequence[bool]) -> tuple[Patch, ...]:
    """The patches that `chosen` found fitting, in order."""
    both = zip(_entries(configs), fitting, strict=True)
    return tuple(_patch(one) for one, fits in both if fits)


def _entries(configs: Sequence[Config]) -> Iterator[Mapping[str, Any]]:
    for config in configs:
        for one in config.spec.get("configPatches") or []:
            if one.get("patch") is not None:
                yield one


def _patch(one: Mapping[str, Any]) -> Patch:
    target, operation = str(one.get("applyTo") or ""), str(one["patch"].get("operation") or "")
    if operation in _INSERTED and target not in _ORDERED:
        operation = "ADD"
    value = merging.plain(one["patch"].get("value") or {})
    return Patch(target, operation, one.get("match") or {}, value)


def _fits(match: Mapping[str, Any], known: Mapping[str, str]) -> bool:
    wanted = match.get("proxy") or {}
    version = wanted.get("proxyVersion")
    if version and not re.search(version, versions.ISTIO):
        return False
    return all(known.get(key) == value for key, value in (wanted.get("metadata") or {}).items())


def _metadata(proxy: Proxy) -> dict[str, str]:
    """What an agent reports of itself (``ISTIO_META_*``)."""
    return {
        "ISTIO_VERSION": versions.ISTIO,
        "CLUSTER_ID": names.CLUSTER_ID,
        "NAMESPACE": proxy.namespace,
        "WORKLOAD_NAME": proxy.workload.workload,
        "SERVICE_ACCOUNT": proxy.workload.service_account,
        "NAME": proxy.workload.name,
    }
