"""Load assignments: the endpoints of one cluster, grouped by locality.

Metadata of an endpoint: whether it takes mutual TLS (``envoy.transport_socket_match``), Istio's
``workload`` text, and the facts that the client's metrics report (`labels.METADATA`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from meshcourse.embedded.istio import names
from meshcourse.embedded.istio.build import labels as facts_of
from meshcourse.embedded.istio.build import proto
from meshcourse.embedded.istio.localities import Group
from meshcourse.embedded.istio.model import Endpoint, Json, Workload


def select(endpoints: Sequence[Endpoint], labels: Mapping[str, str]) -> list[Endpoint]:
    """The endpoints that carry all of a subset's labels."""
    wanted = labels.items()
    return [one for one in endpoints if wanted <= dict(one.labels).items()]


def build(cluster: str, groups: Iterable[Group]) -> Json:
    """The ClusterLoadAssignment of a cluster."""
    return {"cluster_name": cluster, "endpoints": [_locality(one) for one in groups]}


def _locality(group: Group) -> Json:
    result: Json = {"lb_endpoints": [_endpoint(one) for one in group.members]}
    if group.locality:
        parts = zip(("region", "zone", "sub_zone"), group.locality.split("/"), strict=False)
        result["locality"] = proto.compact(**dict(parts))
    result["load_balancing_weight"] = group.weight
    if group.priority:
        result["priority"] = group.priority
    return result


def _endpoint(one: Endpoint) -> Json:
    return {
        "endpoint": {"address": _address(one)},
        "load_balancing_weight": one.weight or 1,
        "metadata": {"filter_metadata": _metadata(one)},
    }


def _address(one: Endpoint) -> Json:
    if one.address.startswith("unix://"):
        return {"pipe": {"path": one.address.removeprefix("unix://")}}
    return proto.address(one.address, one.port)


def _metadata(one: Endpoint) -> Json:
    metadata: Json = {}
    if one.tls_mode == "istio":
        metadata["envoy.transport_socket_match"] = {"tlsMode": "istio"}
    if one.workload is not None:
        metadata["istio"] = {"workload": _identity(one.workload)}
        metadata[facts_of.METADATA] = facts(one.workload)
    return metadata


def _identity(workload: Workload) -> str:
    parts = (
        workload.workload,
        workload.namespace,
        workload.canonical_service,
        workload.canonical_revision,
        names.CLUSTER_ID,
    )
    return ";".join(parts)


def facts(workload: Workload) -> dict[str, str]:
    """What metrics report of a workload; empty facts are left out (they read ``unknown``)."""
    return proto.compact(
        workload=workload.workload,
        namespace=workload.namespace,
        canonical_service=workload.canonical_service,
        canonical_revision=workload.canonical_revision,
        app=workload.app,
        version=workload.version,
        cluster=names.CLUSTER_ID,
    )
