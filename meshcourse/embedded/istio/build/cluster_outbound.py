"""Clusters for services: ``outbound|9080|v1|reviews.default.svc.cluster.local``.

Source: pilot's cluster builder. Nothing here depends on the proxy: certificates are read from files
with the same relative name everywhere, and the source address comes from the bootstrap.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from meshcourse.embedded.istio import destination_rules, durations, localities, names
from meshcourse.embedded.istio.build import cluster_policy, cluster_tls, endpoints, labels, proto
from meshcourse.embedded.istio.build.listener_outbound import DNS_CACHE
from meshcourse.embedded.istio.destination_rules import Rule
from meshcourse.embedded.istio.localities import Group
from meshcourse.embedded.istio.model import (
    Endpoint,
    Json,
    MeshConfig,
    Port,
    Protocol,
    Resolution,
    Service,
)

_EDS: Final[Json] = {"type": "EDS", "eds_cluster_config": {"eds_config": proto.ADS}}
#: Services whose endpoints Envoy resolves itself.
BY_NAME: Final = frozenset((Resolution.DNS, Resolution.DNS_ROUND_ROBIN))
#: External services whose address is that of the name in the request.
_BY_REQUEST: Final = frozenset((Resolution.PASSTHROUGH, Resolution.DYNAMIC_DNS))
_DNS_REFRESH: Final = "60s"


@dataclass(frozen=True, slots=True)
class Target:
    """What one cluster stands for.

    :param subset: "" for the whole service.
    :param endpoints: all of the service port, whose identities the cluster accepts.
    :param groups: those of the subset as the client prefers them, where Envoy gets no EDS.
    :param client: whose preferences those are.
    :param credentials: whether ``credentialName`` counts: at gateways, and for sidecars that the
        DestinationRule selects.
    """

    service: Service
    port: Port
    subset: str
    rule: Rule | None
    endpoints: Sequence[Endpoint]
    groups: Sequence[Group] = ()
    client: Hashable = None
    credentials: bool = False

    @property
    def name(self) -> str:
        return names.outbound(self.port.number, self.subset, self.service.hostname)


def build(target: Target, mesh: MeshConfig) -> Json:
    """One cluster."""
    policy = destination_rules.policy_for(target.rule, target.port.number, target.subset)
    protocol = target.port.protocol
    http2 = protocol.http2 or (protocol.http and cluster_policy.upgrades(policy, mesh))
    follows = protocol.http and cluster_policy.follows(policy, auto=protocol is Protocol.AUTO)
    upstream = _upstream(target, mesh, http2=http2, follows=follows)
    socket = cluster_tls.build(upstream, _tls(target, policy))
    cluster: Json = {
        "name": target.name,
        **_discovery(target, policy),
        **cluster_policy.connection(policy, mesh),
        **cluster_policy.load_balancing(policy),
        "circuit_breakers": cluster_policy.limits(policy),
        **cluster_policy.outlier_detection(policy),
        **_common(policy, target, mesh),
        "metadata": _metadata(target),
        **socket.fields,
    }
    if protocol.http or socket.auto_sni:
        cluster |= cluster_policy.protocol_options(
            policy,
            http2=http2,
            auto=protocol is Protocol.AUTO,
            auto_sni=socket.auto_sni,
        )
    if cluster.get("cluster_type"):
        cluster["lb_policy"] = "CLUSTER_PROVIDED"
        cluster = {key: one for key, one in cluster.items() if not key.endswith("_lb_config")}
    return cluster


def _tls(target: Target, policy: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The ``tls`` in force; like pilot's, none if its certificate is not to be had."""
    found: Mapping[str, Any] | None = policy.get("tls")
    if found is None or found.get("mode") not in ("SIMPLE", "MUTUAL"):
        return found
    credential = str(found.get("credentialName") or "")
    if credential and not (target.credentials or credential.startswith(names.CONFIG_MAP)):
        return {"mode": "DISABLE"}
    files = found.get("clientCertificate") and found.get("privateKey")
    if found["mode"] == "MUTUAL" and not (credential or files):
        return {"mode": "DISABLE"}
    if target.service.external and not found.get("subjectAltNames"):
        return {**found, "subjectAltNames": list(target.service.subject_alt_names)}
    return found


def _common(policy: Mapping[str, Any], target: Target, mesh: MeshConfig) -> Json:
    """``common_lb_config``, with the panic threshold that goes with outlier detection."""
    result = cluster_policy.panic(policy)
    chosen = localities.setting(policy, target.service, mesh)
    if chosen is not None and chosen.weighted:
        result["locality_weighted_lb_config"] = {}
    return {"common_lb_config": result} if result else {}


def _upstream(
    target: Target, mesh: MeshConfig, *, http2: bool, follows: bool
) -> cluster_tls.Upstream:
    return cluster_tls.Upstream(
        server_name=names.sni(target.port.number, target.subset, target.service.hostname),
        identities=identities(target, mesh),
        protocol=target.port.protocol,
        http2=http2,
        automatic=mesh.auto_mtls and not target.service.external,
        follows=follows,
    )


def identities(target: Target, mesh: MeshConfig) -> list[str]:
    """The SPIFFE ids that endpoints of the service may have, sorted."""
    found = {
        names.spiffe(mesh.trust_domain, one.workload.namespace, one.service_account)
        for one in target.endpoints
        if one.workload is not None and one.service_account
    }
    return sorted(found | set(target.service.subject_alt_names))


def _discovery(target: Target, policy: Mapping[str, Any]) -> Json:
    resolution = target.service.resolution
    if (policy.get("loadBalancer") or {}).get("simple") == "PASSTHROUGH":
        return _called(target.name, target.service, target.port.number) or forward_proxy()
    if resolution in BY_NAME:
        assignment = endpoints.build(target.name, target.groups)
        members = [one for part in assignment["endpoints"] for one in part["lb_endpoints"]]
        # Envoy takes exactly one name for LOGICAL_DNS; a selector may find none or several.
        one_name = resolution is not Resolution.DNS and len(members) == 1
        return {
            "type": "LOGICAL_DNS" if one_name else "STRICT_DNS",
            "dns_lookup_family": "V4_PREFERRED",
            "dns_refresh_rate": _DNS_REFRESH,
            "respect_dns_ttl": True,
            "load_assignment": assignment,
        }
    if target.service.external and resolution in _BY_REQUEST:
        return forward_proxy()
    return _EDS


def _called(name: str, service: Service, port: int) -> Json | None:
    """The address that clients call (load balancing ``PASSTHROUGH``): the service's cluster IP."""
    where = next((one for one in service.virtual if one[0] == port), None)
    if where is None:
        return None
    assignment = proto.static_assignment(name, proto.address(where[1], where[2]))
    return {"type": "STATIC", "load_assignment": assignment}


def forward_proxy() -> Json:
    """Where the name in the request decides the address (Istio's ORIGINAL_DST has no meaning
    without iptables).
    """
    config = proto.typed(
        "extensions.clusters.dynamic_forward_proxy.v3.ClusterConfig",
        dns_cache_config=DNS_CACHE,
        allow_insecure_cluster_options=True,
    )
    return {
        "cluster_type": {"name": "envoy.clusters.dynamic_forward_proxy", "typed_config": config}
    }


def _metadata(target: Target) -> Json:
    service = target.service
    facts = labels.service_metadata(service)["filter_metadata"]
    istio = proto.compact(
        services=[{"host": service.hostname, "name": service.name, "namespace": service.namespace}],
        subset=target.subset,
        config=config_path(target.rule),
    )
    return {"filter_metadata": {**facts, "istio": istio}}


def config_path(rule: Rule | None) -> str:
    """How Istio notes in metadata which DestinationRule a cluster came from."""
    if rule is None:
        return ""
    source = rule.sources[0]
    group = "/apis/networking.istio.io/v1/namespaces"
    return f"{group}/{source.namespace}/destination-rule/{source.name}"


def unrouted(service: Service, port: int, mesh: MeshConfig) -> Json | None:
    """The cluster of a service that a client does not see: its cluster IP, in plaintext.

    On real Istio such traffic leaves by the PassthroughCluster to the address that the client
    resolved; clients here send names. None if the service has no cluster IP.
    """
    name = names.unrouted(port, service.hostname)
    where = _called(name, service, port)
    if where is None:
        return None
    return {
        "name": name,
        **where,
        "connect_timeout": durations.render(mesh.connect_timeout),
        "metadata": {"filter_metadata": {labels.METADATA: _PASSTHROUGH_FACTS}},
        **cluster_policy.protocol_options({}, http2=False, auto=True, auto_sni={}),
    }


_PASSTHROUGH_FACTS: Final = {
    "service": "unknown",
    "name": names.PASSTHROUGH,
    "namespace": "unknown",
}


def static(mesh: MeshConfig) -> Iterator[Json]:
    """The clusters that every sidecar and gateway has."""
    timeout = {"connect_timeout": durations.render(mesh.connect_timeout)}
    yield {"name": names.BLACK_HOLE, "type": "STATIC", **timeout}
    yield {
        "name": names.PASSTHROUGH,
        **timeout,
        **forward_proxy(),
        "lb_policy": "CLUSTER_PROVIDED",
        "metadata": {"filter_metadata": {labels.METADATA: _PASSTHROUGH_FACTS}},
        **cluster_policy.protocol_options({}, http2=False, auto=True, auto_sni={}),
    }
    capture = {"envoy_internal_address": {"server_listener_name": names.CAPTURE}}
    yield {
        "name": names.CAPTURE,
        "type": "STATIC",
        **timeout,
        "load_assignment": proto.static_assignment(names.CAPTURE, capture),
        "circuit_breakers": cluster_policy.limits({}),
    }
