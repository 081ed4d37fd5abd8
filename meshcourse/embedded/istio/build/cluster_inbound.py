"""From the sidecar to its application: ``inbound|9080||`` points at the pod's application address."""

from __future__ import annotations

from meshcourse.embedded.istio import names
from meshcourse.embedded.istio.build import cluster_policy, labels, proto
from meshcourse.embedded.istio.inbound import Target
from meshcourse.embedded.istio.model import Json, MeshConfig, Protocol, Proxy


def build(proxy: Proxy, target: Target, policy: cluster_policy.Policy, mesh: MeshConfig) -> Json:
    """The cluster of one application port; HTTP/2 where the service port says so.

    The target's service is only read by TCP reports here, routes carry it for HTTP.

    :param policy: of the service's DestinationRule, whose connection pool counts at the server, too
        (the Sidecar's goes before it).
    """
    name = names.inbound(target.number)
    pool = target.pool if target.pool is not None else policy.get("connectionPool")
    own = {"connectionPool": pool or {}}
    cluster: Json = {
        "name": name,
        "type": "STATIC",
        **cluster_policy.connection(own, mesh),
        "load_assignment": proto.static_assignment(name, _address(proxy, target)),
        "circuit_breakers": cluster_policy.limits(own),
    }
    if target.service is not None and not target.protocol.http:
        cluster["metadata"] = labels.service_metadata(target.service)
    if target.protocol.http:
        cluster |= cluster_policy.protocol_options(
            own,
            http2=target.protocol.http2,
            auto=target.protocol is Protocol.AUTO,
            auto_sni={},
        )
    return cluster


def _address(proxy: Proxy, target: Target) -> Json:
    if isinstance(target.endpoint, str) and target.endpoint:
        return {"pipe": {"path": names.file(target.endpoint.removeprefix("unix://"))}}
    return proto.address(*proxy.addresses.app(int(target.endpoint or target.number)))
