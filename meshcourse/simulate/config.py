"""The configuration of one Envoy: as somebody made it, or out of its ``config_dump``.

Source: Envoy's admin API (``/config_dump?include_eds``, ``/clusters?format=json``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

Json = Mapping[str, Any]

_ADMIN: Final = "type.googleapis.com/envoy.admin.v3."
HEALTHY: Final = frozenset(("", "UNKNOWN", "HEALTHY", "DEGRADED"))


class Configuration(Protocol):
    """Resources as protobuf JSON with the names of the proto, by name."""

    @property
    def clusters(self) -> Mapping[str, Any]: ...

    @property
    def endpoints(self) -> Mapping[str, Any]:
        """Assignments by the name of their cluster."""

    @property
    def listeners(self) -> Mapping[str, Any]: ...

    @property
    def routes(self) -> Mapping[str, Any]: ...

    @property
    def extensions(self) -> Mapping[str, Any]:
        """Filters that arrive by themselves (ECDS)."""


@dataclass(frozen=True, slots=True)
class Config:
    """A configuration that was read from an Envoy."""

    clusters: Mapping[str, Any] = field(default_factory=dict)
    endpoints: Mapping[str, Any] = field(default_factory=dict)
    listeners: Mapping[str, Any] = field(default_factory=dict)
    routes: Mapping[str, Any] = field(default_factory=dict)
    extensions: Mapping[str, Any] = field(default_factory=dict)


def from_dump(dump: Json, clusters: Json | None = None) -> Config:
    """The configuration in a config dump.

    :param dump: of ``/config_dump?include_eds``.
    :param clusters: of ``/clusters?format=json``: who is ejected, and addresses that DNS gave.
    """
    parts = {str(one.get("@type")).removeprefix(_ADMIN): one for one in dump.get("configs") or ()}
    found = _by_name(_entries(parts, "ClustersConfigDump", "cluster"), "name")
    assignments = _by_name(
        _entries(parts, "EndpointsConfigDump", "endpoint_config"), "cluster_name"
    )
    named = {
        name: assignments.get((one.get("eds_cluster_config") or {}).get("service_name") or name)
        for name, one in found.items()
    }
    known = {name: one for name, one in named.items() if one is not None}
    return Config(
        clusters=found,
        endpoints=_with_health(known, clusters or {}),
        listeners=_by_name(_listeners(parts.get("ListenersConfigDump") or {}), "name"),
        routes=_by_name(_entries(parts, "RoutesConfigDump", "route_config"), "name"),
        extensions=_by_name(_entries(parts, "EcdsConfigDump", "ecds_filter"), "name"),
    )


def _by_name(found: Iterable[Json], key: str) -> dict[str, Json]:
    return {str(one.get(key) or ""): one for one in found}


def _entries(parts: Mapping[str, Json], section: str, name: str) -> Iterator[Json]:
    """What stands under `name` in the lists of a section, static ones first."""
    lists = [one for one in (parts.get(section) or {}).items() if isinstance(one[1], list)]
    for _, entries in sorted(lists, key=lambda one: not one[0].startswith("static")):
        yield from (entry[name] for entry in entries if name in entry)


def _listeners(section: Json) -> Iterator[Json]:
    yield from (one["listener"] for one in section.get("static_listeners") or ())
    for one in section.get("dynamic_listeners") or ():
        if "listener" in (one.get("active_state") or {}):
            yield one["active_state"]["listener"]


def _with_health(assignments: Mapping[str, Json], status: Json) -> dict[str, Json]:
    """Assignments in which hosts that get nothing say so."""
    result = dict(assignments)
    for one in status.get("cluster_statuses") or ():
        name, hosts = str(one.get("name")), one.get("host_statuses") or ()
        health = {address(host.get("address") or {}): _health(host) for host in hosts}
        if name in result:
            result[name] = {**result[name], "endpoints": _marked(result[name], health)}
        else:
            lb = [
                {"endpoint": {"address": host["address"]}, "health_status": _health(host)}
                for host in hosts
            ]
            result[name] = {"cluster_name": name, "endpoints": [{"lb_endpoints": lb}]}
    return result


def _marked(assignment: Json, health: Mapping[str, str]) -> list[Json]:
    return [
        {
            **locality,
            "lb_endpoints": [
                {**one, "health_status": health.get(where(one)) or one.get("health_status") or ""}
                for one in locality.get("lb_endpoints") or ()
            ],
        }
        for locality in assignment.get("endpoints") or ()
    ]


def _health(host: Json) -> str:
    status = host.get("health_status") or {}
    if status.get("failed_outlier_check"):
        return "EJECTED"
    if status.get("failed_active_health_check"):
        return "UNHEALTHY"
    return str(status.get("eds_health_status") or "")


def where(endpoint: Json) -> str:
    """``host:port`` of an LbEndpoint."""
    return address((endpoint.get("endpoint") or {}).get("address") or {})


def address(found: Json) -> str:
    """An Address as text: ``host:port``, or the name of a listener or pipe."""
    socket = found.get("socket_address")
    if socket is not None:
        return f"{socket['address']}:{socket.get('port_value', 0)}"
    internal = found.get("envoy_internal_address") or {}
    return str(internal.get("server_listener_name") or (found.get("pipe") or {}).get("path"))
