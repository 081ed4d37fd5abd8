"""Patches of listeners: themselves, their filter chains, network filters and HTTP filters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from meshcourse.embedded.istio import names
from meshcourse.embedded.istio.build import connection_manager, filters
from meshcourse.embedded.istio.model import Json
from meshcourse.embedded.istio.patches import editing, merging
from meshcourse.embedded.istio.patches.selection import OUTBOUND, Patch

#: What our HTTP filters are called on real Istio.
_ALIASES: Final = {
    filters.RBAC_ALLOW: "envoy.filters.http.rbac",
    filters.RBAC_DENY: "envoy.filters.http.rbac",
    filters.RBAC_AUDIT: "envoy.filters.http.rbac",
    filters.RBAC_CUSTOM: "envoy.filters.http.rbac",
    filters.JWT: "envoy.filters.http.jwt_authn",
    filters.EXT_AUTHZ: "envoy.filters.http.ext_authz",
}


def patched(listener: Json, context: str, patches: Sequence[Patch]) -> Json | None:
    """The listener with all patches of its context; None if one removes it."""
    found = [
        one
        for one in patches
        if one.meant_for(context) and _means(listener, context, one.part("listener"))
    ]
    if not found:
        return listener
    result = _itself(listener, _of(found, "LISTENER"))
    if result is None:
        return None
    if own := _of(found, "LISTENER_FILTER"):
        kept = editing.edited(
            result.get("listener_filters") or [],
            own,
            lambda item, one: item.get("name") == one.part("listener").get("listenerFilter"),
            lambda one: bool(one.part("listener").get("listenerFilter")),
        )
        result = {**result, "listener_filters": kept}
    chains = (_chain(one, found) for one in result.get("filter_chains") or [])
    added = [one.value for one in _of(found, "FILTER_CHAIN") if one.operation == "ADD"]
    return {**result, "filter_chains": [*(one for one in chains if one is not None), *added]}


def added(context: str, patches: Sequence[Patch]) -> list[Json]:
    """Listeners that patches add; without a context only outbound and at gateways."""
    return [one.value for one in _of(patches, "LISTENER") if adds(one, context)]


def adds(patch: Patch, context: str) -> bool:
    """Whether a patch adds a listener or cluster in a context."""
    explicit = patch.context != "ANY" or context != "SIDECAR_INBOUND"
    return patch.operation == "ADD" and explicit and patch.meant_for(context)


def _of(patches: Sequence[Patch], target: str) -> list[Patch]:
    return [one for one in patches if one.target == target]


def _means(listener: Json, context: str, match: Mapping[str, Any]) -> bool:
    """Whether the condition on a listener holds: its name and port."""
    own = str(listener["name"])
    family, _, port = own.rpartition("_")
    name, number = match.get("name"), match.get("portNumber")
    if context == OUTBOUND:
        # One pair of listeners stands for all of Istio's outbound listeners.
        return (
            not name or name in (own, names.OUTBOUND_LISTENER) or name.rpartition("_")[2].isdigit()
        )
    if name and name not in (own, family):
        return False
    return not number or str(number) == port


def _itself(listener: Json, patches: Sequence[Patch]) -> Json | None:
    for one in patches:
        if one.operation == "REMOVE":
            return None
        if one.operation == "MERGE":
            listener = merging.merged(listener, one.value)
    return listener


def _chain(chain: Json, patches: Sequence[Patch]) -> Json | None:
    found = [
        one for one in patches if _means_chain(chain, one.part("listener").get("filterChain") or {})
    ]
    for one in _of(found, "FILTER_CHAIN"):
        if one.operation == "REMOVE":
            return None
        if one.operation == "MERGE":
            chain = merging.merged(chain, one.value)
    network = editing.edited(
        chain.get("filters") or [],
        _of(found, "NETWORK_FILTER"),
        lambda item, one: _filter(one).get("name") in (None, item.get("name")),
        lambda one: bool(_filter(one)),
    )
    return {**chain, "filters": [_network(one, found) for one in network]}


def _means_chain(chain: Json, match: Mapping[str, Any]) -> bool:
    own = chain.get("filter_chain_match") or {}
    protocols = str(match.get("applicationProtocols") or "")
    port = match.get("destinationPort")
    return (
        match.get("name") in (None, "", chain.get("name"))
        and (not match.get("sni") or match["sni"] in (own.get("server_names") or []))
        and match.get("transportProtocol") in (None, "", own.get("transport_protocol"))
        and set(filter(None, protocols.split(","))) <= set(own.get("application_protocols") or [])
        and (not port or str(chain.get("name")).rpartition("_")[2] == str(port))
    )


def _filter(patch: Patch) -> Mapping[str, Any]:
    """The condition on a network filter."""
    chain: Mapping[str, Any] = patch.part("listener").get("filterChain") or {}
    return chain.get("filter") or {}


def _network(network: Json, patches: Sequence[Patch]) -> Json:
    """A network filter with the HTTP filters inside patched."""
    found = [
        one
        for one in _of(patches, "HTTP_FILTER")
        if _filter(one).get("name") in (None, "", network.get("name"))
    ]
    if network.get("name") != connection_manager.NAME or not found:
        return network
    config = network["typed_config"]
    http = editing.edited(
        config.get("http_filters") or [],
        found,
        lambda item, one: _sub_filter(one) in (None, *_names(item)),
        lambda one: _sub_filter(one) is not None,
    )
    return {**network, "typed_config": {**config, "http_filters": http}}


def _sub_filter(patch: Patch) -> str | None:
    found = _filter(patch).get("subFilter")
    return None if found is None else str(found.get("name") or "")


def _names(http_filter: Json) -> tuple[str, ...]:
    name = str(http_filter.get("name"))
    return name, _ALIASES.get(name, name)


def inserted(context: str, patches: Sequence[Patch]) -> list[str]:
    """Names of the HTTP filters that patches add in a context."""
    return [
        str(one.value.get("name"))
        for one in _of(patches, "HTTP_FILTER")
        if one.operation not in ("MERGE", "REMOVE") and one.meant_for(context)
    ]
