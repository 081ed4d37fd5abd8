"""VirtualServices with every name resolved, and which of them apply where.

Source: istio.io reference of VirtualService; pilot resolves short names before anything else, and
among several rules for one host takes private ones before exported ones, the oldest first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from meshcourse.embedded.istio import hosts, visibility
from meshcourse.embedded.istio.model import Config, Json, MeshConfig

MESH: Final = "mesh"
#: On converted objects: the API whose semantics apply (``gateway`` or ``ingress``).
SEMANTICS: Final = "internal.istio.io/route-semantics"


@dataclass(frozen=True, slots=True, eq=False)
class VirtualService:
    """One VirtualService. Hash is identity.

    :param hosts: resolved, lower case.
    :param gateways: ``mesh`` or ``namespace/name``.
    :param http: the routes with destination hosts and gateway names resolved.
    :param semantics: "" for Istio's own, ``gateway`` or ``ingress`` for what was made of those
    APIs.
    """

    config: Config
    hosts: tuple[str, ...]
    gateways: tuple[str, ...]
    http: tuple[Mapping[str, Any], ...]
    tls: tuple[Mapping[str, Any], ...]
    tcp: tuple[Mapping[str, Any], ...]
    semantics: str = ""

    @property
    def name(self) -> str:
        return self.config.name

    @property
    def namespace(self) -> str:
        return self.config.namespace


def resolve(config: Config, mesh: MeshConfig) -> VirtualService:
    """The rule with all its names resolved in its namespace."""
    spec, namespace = config.spec, config.namespace

    def deep(value: Any) -> Any:
        return _resolved(value, namespace, mesh.domain)

    return VirtualService(
        config=config,
        hosts=tuple(
            hosts.resolve(one, namespace, mesh.domain).lower() for one in spec.get("hosts") or []
        ),
        gateways=tuple(gateway_name(one, namespace) for one in spec.get("gateways") or [MESH]),
        http=tuple(deep(one) for one in spec.get("http") or []),
        tls=tuple(deep(one) for one in spec.get("tls") or []),
        tcp=tuple(deep(one) for one in spec.get("tcp") or []),
        semantics=config.annotations.get(SEMANTICS, ""),
    )


def gateway_name(name: str, namespace: str) -> str:
    """``mesh`` or ``namespace/name``."""
    return name if name == MESH or "/" in name else f"{namespace}/{name}"


def _resolved(route: Mapping[str, Any], namespace: str, domain: str) -> Json:
    result = dict(route)
    if "match" in route:
        result["match"] = [_resolved_match(one, namespace) for one in route["match"] or []]
    if "route" in route:
        result["route"] = [_resolved_target(one, namespace, domain) for one in route["route"] or []]
    if route.get("mirror"):
        result["mirror"] = _destination(route["mirror"], namespace, domain)
    if route.get("mirrors"):
        result["mirrors"] = [_resolved_target(one, namespace, domain) for one in route["mirrors"]]
    return result


def _resolved_match(match: Mapping[str, Any], namespace: str) -> Json:
    if not match.get("gateways"):
        return dict(match)
    return {**match, "gateways": [gateway_name(one, namespace) for one in match["gateways"]]}


def _resolved_target(target: Mapping[str, Any], namespace: str, domain: str) -> Json:
    if not target.get("destination"):
        return dict(target)
    return {**target, "destination": _destination(target["destination"], namespace, domain)}


def _destination(destination: Mapping[str, Any], namespace: str, domain: str) -> Json:
    host = hosts.resolve(destination.get("host", ""), namespace, domain).lower()
    return {**destination, "host": host}


def destinations(rule: VirtualService) -> Iterator[Mapping[str, Any]]:
    """Every destination of the rule: ``{"host": …, "subset": …, "port": …}``."""
    for route in (*rule.http, *rule.tls, *rule.tcp):
        if route.get("mirror"):
            yield route["mirror"]
        for target in [*(route.get("route") or []), *(route.get("mirrors") or [])]:
            if target.get("destination") is not None:
                yield target["destination"]


def for_gateway(
    rules: Sequence[VirtualService], gateway: str, namespace: str, mesh: MeshConfig
) -> list[VirtualService]:
    """Rules bound to `gateway` that `namespace` sees: private ones, those exported to it, its own
    made of the Gateway API (a consumer's), public ones.
    """
    groups: tuple[list[VirtualService], ...] = ([], [], [], [])
    for rule in rules:
        if gateway in rule.gateways:
            rank = _rank(rule, namespace, mesh)
            if rank is not None:
                groups[rank].append(rule)
    return [rule for group in groups for rule in group]


def _rank(rule: VirtualService, namespace: str, mesh: MeshConfig) -> int | None:
    export_to = rule.config.spec.get("exportTo") or mesh.default_virtual_service_export_to
    if not visibility.visible(export_to, rule.namespace, namespace):
        return None
    if "*" in export_to:
        return 2 if rule.semantics == "gateway" and rule.namespace == namespace else 3
    return 0 if rule.namespace == namespace and "." in export_to else 1


def by_host(rules: Sequence[VirtualService]) -> dict[str, tuple[VirtualService, ...]]:
    """The rules for each host, in order: for each port the first that has routes for it wins."""
    result: dict[str, tuple[VirtualService, ...]] = {}
    for rule in rules:
        for host in rule.hosts:
            result[host] = (*result.get(host, ()), rule)
    return result


def source_label_keys(rules: Sequence[VirtualService]) -> frozenset[str]:
    """The labels of clients that any rule looks at; routes differ between clients only by these."""
    return frozenset(
        key
        for rule in rules
        for route in (*rule.http, *rule.tls, *rule.tcp)
        for match in route.get("match") or []
        for key in match.get("sourceLabels") or {}
    )
