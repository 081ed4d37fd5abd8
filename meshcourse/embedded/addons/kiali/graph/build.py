"""Samples → nodes and edges, and the measurements of edges. Pure.

Sources: Istio's standard metrics; Kiali's rules for what to believe of them.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from meshcourse.embedded.addons.kiali.graph import model
from meshcourse.embedded.addons.kiali.graph.model import Edge, GraphError, Node, Place, TrafficMap
from meshcourse.embedded.addons.kiali.options import Options

_EGRESS: Final = "istio-egressgateway"
_EGRESS_HOST: Final = "istio-egressgateway.istio-system.svc.cluster.local"
_ADDRESS: Final = re.compile(r"\d+\.\d+\.\d+\.\d+(:\d+)?")


class Sample(NamedTuple):
    """One element of an instant vector."""

    labels: Mapping[str, str]
    value: float


class Pair(NamedTuple):
    """Both ends of a series, and whether a service node belongs between them."""

    source: Place
    target: Place
    inject: bool

    @property
    def service(self) -> Place:
        """The service node between the two."""
        target = self.target
        return Place(target.cluster, target.service_namespace, target.service, "", "", "", "")


def populate(nodes: TrafficMap, metric: str, samples: Iterable[Sample], options: Options) -> None:
    """Add what `samples` of `metric` say; series that make no sense are left out."""
    for sample in samples:
        pair = ends(sample.labels, options)
        protocol = _protocol(metric, sample.labels)
        if pair is None or not _wanted(metric, protocol, options) or math.isnan(sample.value):
            continue
        _add(nodes, metric, sample, pair, protocol, options)


def ends(labels: Mapping[str, str], options: Options) -> Pair | None:
    """Both ends of a series; None for broken telemetry."""
    source = Place(
        labels.get("source_cluster", model.UNKNOWN),
        labels.get("source_workload_namespace", ""),
        "",
        labels.get("source_workload_namespace", ""),
        labels.get("source_workload", ""),
        labels.get("source_canonical_service", ""),
        labels.get("source_canonical_revision", ""),
    )
    target = _target(labels, source.cluster)
    if _broken_source(source) or _broken_target(labels, target):
        return None
    try:
        kind = model.identify(target, options.graph_type)[1]
        model.identify(source, options.graph_type)
    except GraphError:
        return None
    named = model.ok(target.service) and target.service != model.PASSTHROUGH
    return Pair(source, target, options.inject_services and named and kind != "service")


def _target(labels: Mapping[str, str], source_cluster: str) -> Place:
    host, name = labels.get("destination_service", ""), labels.get("destination_service_name", "")
    if host == name == _EGRESS_HOST:  # an egress gateway is not reported as a workload
        system = "istio-system"
        return Place(source_cluster, system, _EGRESS, system, _EGRESS, _EGRESS, "latest")
    namespace = labels.get("destination_service_namespace", "")
    cluster = labels.get("destination_cluster", model.UNKNOWN)
    if not model.ok(cluster) and model.ok(source_cluster) and model.ok(namespace):
        cluster = source_cluster  # a request that never reached a workload names no cluster
    return Place(
        cluster,
        namespace,
        name,
        labels.get("destination_workload_namespace", ""),
        labels.get("destination_workload", ""),
        labels.get("destination_canonical_service", ""),
        labels.get("destination_canonical_revision", ""),
    )


def _broken_source(source: Place) -> bool:
    if not model.ok(source.namespace):
        return False
    nobody = not model.ok(source.workload) and not model.ok(source.app)
    return nobody or not model.ok(source.cluster)


def _broken_target(labels: Mapping[str, str], target: Place) -> bool:
    host = labels.get("destination_service", target.service)
    address = host == target.service and bool(_ADDRESS.fullmatch(target.service))
    if address and not model.ok(target.workload):
        return True
    return model.ok(target.service_namespace) and not model.ok(target.cluster)


def _protocol(metric: str, labels: Mapping[str, str]) -> str:
    if metric.startswith("istio_tcp"):
        return "tcp"
    if "messages" in metric:
        return "grpc"
    return labels.get("request_protocol", "")


def _wanted(metric: str, protocol: str, options: Options) -> bool:
    if protocol not in model.PROTOCOLS:
        return False
    if metric != "istio_requests_total":
        return True
    return (options.rate_grpc if protocol == "grpc" else options.rate_http) == "requests"


def response_code(protocol: str, labels: Mapping[str, str]) -> str:
    """``-`` without an answer, else gRPC's status where there is one, else HTTP's."""
    code = labels.get("response_code", "")
    if code == "0":
        return "-"
    grpc_status = labels.get("grpc_response_status")
    if protocol != "grpc" or code[:1] in ("4", "5") or grpc_status is None:
        return code
    return grpc_status


def _add(
    nodes: TrafficMap, metric: str, sample: Sample, pair: Pair, protocol: str, options: Options
) -> None:
    labels, value = sample.labels, sample.value
    code = response_code(protocol, labels) if metric == "istio_requests_total" else ""
    if protocol == "tcp":
        code = "-"
    flags, host = labels.get("response_flags", ""), labels.get("destination_service", "")
    hops = list(_hops(nodes, pair, options))
    identity = (metric, pair.source, pair.target, code, flags, host)
    for source, target in hops:
        edge = source.edge_to(target, protocol)
        if identity in edge.seen:
            return
        edge.seen.add(identity)
        model.transfer(edge, code, flags, host, value)
        if model.ok(pair.target.service):
            target.destinations.add(
                (pair.target.cluster, pair.target.service_namespace, pair.target.service)
            )


def _hops(nodes: TrafficMap, pair: Pair, options: Options) -> Iterator[tuple[Node, Node]]:
    source = model.node_for(nodes, pair.source, options.graph_type)
    target = model.node_for(nodes, pair.target, options.graph_type)
    if not pair.inject:
        yield source, target
        return
    service = model.node_for(nodes, pair.service, options.graph_type)
    service.marks["isInjected"] = True
    yield source, service
    yield service, target


def _edges(nodes: TrafficMap) -> dict[tuple[str, str], list[Edge]]:
    found: dict[tuple[str, str], list[Edge]] = {}
    for node in nodes.values():
        for edge in node.edges:
            found.setdefault((node.key, edge.target.key), []).append(edge)
    return found


def _pairs(pair: Pair, options: Options) -> list[tuple[str, str]]:
    """The keys of the edges that a series is about, first to last."""
    places = [pair.source, pair.service, pair.target] if pair.inject else [pair.source, pair.target]
    keys = [model.identify(place, options.graph_type)[0] for place in places]
    return list(itertools.pairwise(keys))


def add_security(nodes: TrafficMap, samples: Iterable[Sample], options: Options) -> None:
    """``isMTLS`` (percent of the traffic, absent at 0) and the principals of both ends."""
    shares: dict[tuple[str, str], list[float]] = {}
    principals: dict[tuple[str, str], tuple[str, str]] = {}
    for sample in samples:
        pair = ends(sample.labels, options)
        if pair is None:
            continue
        secure = sample.labels.get("connection_security_policy") == "mutual_tls"
        for key in _pairs(pair, options):
            share = shares.setdefault(key, [0.0, 0.0])
            share[0] += sample.value if secure else 0.0
            share[1] += sample.value
            names = (sample.labels.get(f"{end}_principal", "") for end in ("source", "destination"))
            principals.setdefault(key, tuple(names))  # type: ignore[arg-type]
    for key, edges in _edges(nodes).items():
        for edge in edges:
            _secure(edge, shares.get(key), principals.get(key))


def _secure(edge: Edge, share: list[float] | None, names: tuple[str, str] | None) -> None:
    if share and share[0] > 0:
        edge.marks["isMTLS"] = f"{share[0] / share[1] * 100:.0f}"
    for field, name in zip(("sourcePrincipal", "destPrincipal"), names or (), strict=False):
        if name:
            edge.marks[field] = name


def add_response_times(nodes: TrafficMap, samples: Iterable[Sample], options: Options) -> None:
    """``responseTime`` in milliseconds; of an injected pair only the last hop, where it was measured."""
    found: dict[tuple[str, str, str], float] = {}
    for sample in samples:
        pair = ends(sample.labels, options)
        if pair is None or math.isnan(sample.value):
            continue
        key = (*_pairs(pair, options)[-1], sample.labels.get("request_protocol", ""))
        found.setdefault(key, sample.value)
    _measure(nodes, "responseTime", found)


def add_throughput(nodes: TrafficMap, samples: Iterable[Sample], options: Options) -> None:
    """``throughput`` in bytes per second of HTTP."""
    found: dict[tuple[str, str, str], float] = {}
    for sample in samples:
        pair = ends(sample.labels, options)
        if pair is None or math.isnan(sample.value):
            continue
        key = (*_pairs(pair, options)[-1], "http")
        found[key] = found.get(key, 0.0) + sample.value
    _measure(nodes, "throughput", found)


def _measure(nodes: TrafficMap, name: str, found: Mapping[tuple[str, str, str], float]) -> None:
    for (source, target), edges in _edges(nodes).items():
        for edge in edges:
            value = found.get((source, target, edge.protocol))
            if value is not None:
                edge.marks[name] = f"{value:.0f}"
