"""ReferenceGrants: who may refer to what in another namespace."""

from __future__ import annotations

from collections.abc import Iterable

from meshcourse.embedded.istio.gateway_api import kinds
from meshcourse.embedded.istio.gateway_api.kinds import Kind
from meshcourse.embedded.istio.model import Config
from meshcourse.embedded.kube.objects import Key

_FROM = frozenset((kinds.GATEWAY, *kinds.ROUTES))
_TO = frozenset((kinds.SERVICE, kinds.SECRET, kinds.CONFIG_MAP))
_NOTHING = Kind("", "")


class Grants:
    """All grants of a cluster."""

    def __init__(self, configs: Iterable[Config]) -> None:
        self._found = {
            (source, str(one.get("namespace")), target, config.namespace, str(to.get("name") or ""))
            for config in configs
            for one in config.spec.get("from") or []
            if (source := kinds.of_reference(one, _NOTHING)) in _FROM
            for to in config.spec.get("to") or []
            if (target := kinds.of_reference(to, _NOTHING)) in _TO
        }

    def allow(self, source: Kind, namespace: str, target: Kind, key: Key) -> bool:
        """Whether objects of kind `source` in `namespace` may refer to `key`; their own namespace
        is always allowed.
        """
        if key.namespace == namespace:
            return True
        granted = (source, namespace, target, key.namespace)
        return (*granted, "") in self._found or (*granted, key.name) in self._found
