"""EnvoyFilters whose patches may not take effect."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from meshcourse.embedded.istioctl.analyze.analyzer import Analyzer
from meshcourse.embedded.istioctl.analyze.codes import report
from meshcourse.embedded.istioctl.analyze.collection import Collection
from meshcourse.embedded.istioctl.analyze.item import Item, lists, maps
from meshcourse.embedded.istioctl.analyze.messages import Messages
from meshcourse.embedded.kube import objects as kube

_UNPATCHABLE: Final = frozenset(("ROUTE_CONFIGURATION", "HTTP_ROUTE"))
_REPLACEABLE: Final = frozenset(("NETWORK_FILTER", "HTTP_FILTER", "VIRTUAL_HOST"))
_RELATIVE: Final = frozenset(("REMOVE", "REPLACE", "INSERT_BEFORE", "INSERT_AFTER"))


def patches(objects: Collection) -> Messages:
    versioned: set[str] = set()  # names of filters that were patched for one version of the proxy
    for item in objects.all("EnvoyFilter"):
        for i, patch in enumerate(lists(item.spec.get("configPatches"))):
            if not patch.get("patch"):
                break
            name = _name(patch)
            kind = _problem(item, patch, versioned=name in versioned)
            if kind:
                yield report(kind, item, at=f"spec.configPatches[{i}].patch.value")
            if kube.dig(patch, "match.proxy.proxyVersion", ""):
                versioned.add(name)


def _name(patch: Mapping[str, Any]) -> str:
    """The name of the filter that a patch is about."""
    value = maps(maps(patch.get("patch")).get("value"))
    if not value:
        return ""
    return str(value.get("name") or kube.dig(patch, "match.listener.filterChain.filter.name", ""))


def _problem(item: Item, patch: Mapping[str, Any], *, versioned: bool) -> str:
    """The name of the message; "" if there is nothing to say."""
    operation, target = maps(patch["patch"]).get("operation"), patch.get("applyTo")
    if operation == "ADD" and target in _UNPATCHABLE:
        return "EnvoyFilterUsesAddOperationIncorrectly"
    if operation == "REMOVE" and target in _UNPATCHABLE:
        return "EnvoyFilterUsesRemoveOperationIncorrectly"
    if operation == "REPLACE" and target not in _REPLACEABLE:
        return "EnvoyFilterUsesReplaceOperationIncorrectly"
    if operation not in _RELATIVE or item.spec.get("priority"):
        return ""
    suffix = "WithProxyVersion" if versioned else ""
    return f"EnvoyFilterUsesRelativeOperation{suffix}"


ANALYZERS: Final = (
    Analyzer(
        "envoyfilter.EnvoyPatchAnalyzer", "Checks an envoyFilters ", ("EnvoyFilter",), patches
    ),
)
