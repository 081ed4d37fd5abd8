"""Mutual TLS modes of inbound ports. Source: istio.io reference of PeerAuthentication.

The most specific policy wins: workload, namespace, mesh (root namespace); of several at one level
the oldest. UNSET inherits.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from meshcourse.embedded.istio.model import Config, Endpoint, Workload

PERMISSIVE = "PERMISSIVE"
_INHERIT = frozenset(("", "UNSET", None))


def mode(configs: Sequence[Config], workload: Workload, port: int, root: str) -> str:
    """PERMISSIVE, STRICT or DISABLE for a container port.

    :param configs: all PeerAuthentications, oldest first.
    :param root: the mesh's root namespace.
    """
    own = _first(one for one in configs if one.namespace != root and _selects(one, workload))
    levels = [own, _whole(configs, workload.namespace), _whole(configs, root)]
    if own is not None:
        of_port = (own.spec.get("portLevelMtls") or {}).get(str(port)) or {}
        if of_port.get("mode") not in _INHERIT:
            return str(of_port["mode"])
    modes = ((one.spec.get("mtls") or {}).get("mode") for one in levels if one is not None)
    return next((str(one) for one in modes if one not in _INHERIT), PERMISSIVE)


def adjust(endpoint: Endpoint, configs: Sequence[Config], root: str) -> Endpoint:
    """The endpoint without mutual TLS if a policy DISABLEs it there."""
    workload = endpoint.workload
    if endpoint.tls_mode != "istio" or workload is None or not configs:
        return endpoint
    if mode(configs, workload, endpoint.port, root) != "DISABLE":
        return endpoint
    return replace(endpoint, tls_mode="disabled")


def _labels(config: Config) -> Mapping[str, str]:
    return (config.spec.get("selector") or {}).get("matchLabels") or {}


def _selects(config: Config, workload: Workload) -> bool:
    labels = _labels(config)
    if config.namespace != workload.namespace or not labels:
        return False
    return labels.items() <= workload.labels.items()


def _whole(configs: Sequence[Config], namespace: str) -> Config | None:
    return _first(one for one in configs if one.namespace == namespace and not _labels(one))


def _first(found: Iterable[Config]) -> Config | None:
    return next(iter(found), None)
