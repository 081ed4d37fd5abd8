"""Which policies apply to a workload: selectors, target references, namespaces.

Source: istio.io ("Scope and precedence of policies"), pilot's policy attachment: a policy acts in
its own namespace, one in the root namespace everywhere; gateways made by the Gateway API listen to
``targetRefs`` (and to selectors), others to selectors.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from meshcourse.embedded.istio.model import Config, Workload

GATEWAY_LABEL: Final = "gateway.networking.k8s.io/gateway-name"
_GATEWAY: Final = ("gateway.networking.k8s.io", "Gateway")


def of_workload(configs: Sequence[Config], workload: Workload, root: str) -> list[Config]:
    """The policies in force for a workload: the root namespace's first, then its own; oldest first."""
    namespaces = dict.fromkeys((root, workload.namespace))
    return [
        config
        for namespace in namespaces
        for config in configs
        if config.namespace == namespace and attached(config, workload)
    ]


def attached(config: Config, workload: Workload) -> bool:
    """Whether a policy of a namespace in question selects the workload."""
    targets = list(_targets(config.spec))
    gateway = workload.labels.get(GATEWAY_LABEL)
    if not targets:
        labels = (config.spec.get("selector") or {}).get("matchLabels") or {}
        return bool(labels.items() <= workload.labels.items())
    if gateway is None or config.namespace != workload.namespace:
        return False
    return any(_is_gateway(one) and one.get("name") == gateway for one in targets)


def _targets(spec: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield from spec.get("targetRefs") or ([spec["targetRef"]] if spec.get("targetRef") else [])


def _is_gateway(reference: Mapping[str, Any]) -> bool:
    return (reference.get("group"), reference.get("kind")) == _GATEWAY
