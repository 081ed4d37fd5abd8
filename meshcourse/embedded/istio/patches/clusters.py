"""Patches of clusters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from meshcourse.embedded.istio import names
from meshcourse.embedded.istio.model import Json
from meshcourse.embedded.istio.patches import listeners, merging
from meshcourse.embedded.istio.patches.selection import Patch

#: Finds where a service is reached on this machine: (host, port) → (address, port).
Resolve = Mapping[tuple[str, int], tuple[str, int]]


def patched(cluster: Json, context: str, patches: Sequence[Patch], host: str) -> Json | None:
    """The cluster with all patches of its context; None if one removes it.

    :param host: of an inbound cluster: the service it belongs to.
    """
    for one in patches:
        if one.target != "CLUSTER" or not one.meant_for(context):
            continue
        if not _means(cluster, one.part("cluster"), host):
            continue
        if one.operation == "REMOVE":
            return None
        if one.operation == "MERGE":
            cluster = _merged(cluster, one.value)
    return cluster


def _means(cluster: Json, match: Mapping[str, Any], host: str) -> bool:
    own = str(cluster["name"])
    if match.get("name"):
        return bool(match["name"] == own)
    parts = names.parse(own)
    if parts is None:
        return not any(match.get(one) for one in ("subset", "service", "portNumber"))
    return (
        match.get("subset") in (None, "", parts.subset)
        and match.get("service") in (None, "", parts.host or host)
        and match.get("portNumber") in (None, 0, parts.port)
    )


def _merged(cluster: Json, patch: Json) -> Json:
    """A transport socket is merged into the one of the same name, also among several by endpoint."""
    socket = patch.get("transport_socket") or patch.get("transportSocket")
    choices = cluster.get("transport_socket_matches")
    if not socket or not choices:
        return merging.merged(cluster, patch)
    if not any(one["transport_socket"]["name"] == socket.get("name") for one in choices):
        return cluster
    merged = [
        {**one, "transport_socket": merging.merged(one["transport_socket"], socket)}
        if one["transport_socket"]["name"] == socket.get("name")
        else one
        for one in choices
    ]
    return {**cluster, "transport_socket_matches": merged}


def added(contexts: Sequence[str], patches: Sequence[Patch], resolve: Resolve) -> list[Json]:
    """Clusters that patches add, with names of services replaced by addresses (no DNS knows them)."""
    return [
        _resolved(one.value, resolve)
        for one in patches
        if one.target == "CLUSTER" and any(listeners.adds(one, context) for context in contexts)
    ]


def _resolved(value: Any, resolve: Resolve) -> Any:
    if isinstance(value, list):
        return [_resolved(one, resolve) for one in value]
    if not isinstance(value, dict):
        return value
    port = value.get("port_value", value.get("portValue"))
    if "address" in value and isinstance(port, int):
        host, number = resolve.get((str(value["address"]), port), (value["address"], port))
        return {
            **value,
            "address": host,
            "port_value" if "port_value" in value else "portValue": number,
        }
    return {key: _resolved(one, resolve) for key, one in value.items()}
