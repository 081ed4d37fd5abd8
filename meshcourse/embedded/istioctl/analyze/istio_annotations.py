"""Annotations of Istio: unknown, misplaced, deprecated, with values that cannot be read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from meshcourse.embedded.istioctl.analyze import annotation_values as values
from meshcourse.embedded.istioctl.analyze import mesh
from meshcourse.embedded.istioctl.analyze.analyzer import Analyzer
from meshcourse.embedded.istioctl.analyze.codes import report
from meshcourse.embedded.istioctl.analyze.collection import Collection
from meshcourse.embedded.istioctl.analyze.item import Item
from meshcourse.embedded.istioctl.analyze.messages import Messages

_SIDECAR, _TRAFFIC = "sidecar.istio.io", "traffic.sidecar.istio.io"
_READINESS = "readiness.status.sidecar.istio.io"

#: Names by the kinds that they belong on. A trailing ``-`` says deprecated, ``!`` that it is no alpha feature.
_TABLE: Final = f"""
Pod prometheus.istio.io/merge-metrics {_SIDECAR}/inject-! {_SIDECAR}/status
Pod {_SIDECAR}/rewriteAppHTTPProbers {_SIDECAR}/discoveryAddress- {_SIDECAR}/proxyImage
Pod {_SIDECAR}/proxyImageType {_SIDECAR}/proxyCPU {_SIDECAR}/proxyCPULimit {_SIDECAR}/proxyMemory
Pod {_SIDECAR}/proxyMemoryLimit! {_SIDECAR}/interceptionMode {_SIDECAR}/bootstrapOverride
Pod {_SIDECAR}/statsInclusionPrefixes- {_SIDECAR}/statsInclusionSuffixes-
Pod {_SIDECAR}/statsInclusionRegexps- {_SIDECAR}/statsHistogramBuckets {_SIDECAR}/statsFlushInterval
Pod {_SIDECAR}/statsEvictionInterval {_SIDECAR}/statsHistogramBins {_SIDECAR}/userVolume
Pod {_SIDECAR}/userVolumeMount! status.sidecar.istio.io/port {_SIDECAR}/logLevel
Pod {_SIDECAR}/componentLogLevel {_SIDECAR}/agentLogLevel {_SIDECAR}/nativeSidecar
Pod {_READINESS}/initialDelaySeconds {_READINESS}/periodSeconds {_READINESS}/failureThreshold
Pod {_READINESS}/applicationPorts {_TRAFFIC}/includeOutboundIPRanges {_TRAFFIC}/excludeOutboundIPRanges
Pod {_TRAFFIC}/includeInboundPorts! {_TRAFFIC}/excludeInboundPorts {_TRAFFIC}/excludeInterfaces
Pod {_TRAFFIC}/includeOutboundPorts {_TRAFFIC}/excludeOutboundPorts {_TRAFFIC}/kubevirtInterfaces-
Pod proxy.istio.io/config! istio.io/rev proxy.istio.io/overrides inject.istio.io/templates
Pod {_SIDECAR}/extraStatTags- {_SIDECAR}/statsCompression- ambient.istio.io/redirection!
Pod ambient.istio.io/bypass-inbound-capture istio.io/reroute-virtual-interfaces ambient.istio.io/dns-capture
Service alpha.istio.io/kubernetes-serviceaccounts- alpha.istio.io/canonical-serviceaccounts-
Service networking.istio.io/exportTo traffic.istio.io/nodeSelector!
Ingress kubernetes.io/ingress.class!
Any galley.istio.io/analyze-suppress gateway.istio.io/controller-version
AuthorizationPolicy istio.io/dry-run
WorkloadEntry istio.io/autoRegistrationGroup istio.io/workloadController istio.io/connectedAt
WorkloadEntry istio.io/disconnectedAt
Namespace topology.istio.io/controlPlaneClusters
GatewayClass,Gateway ambient.istio.io/waypoint-inbound-binding
Gateway gateway.istio.io/service-account gateway.istio.io/name-override networking.istio.io/service-type
Namespace,Service,ServiceEntry networking.istio.io/traffic-distribution
Service,ServiceEntry,Namespace istio.io/use-waypoint-canary-weight
"""
_ANY: Final = "Any"
_KINDS: Final = ("Namespace", "Service", "Pod", "Deployment")
#: Written by Istio itself.
_OWN: Final = frozenset(
    (f"{_SIDECAR}/status", "gateway.istio.io/controller-version", "istio.io/rev")
)
#: With the CNI plugin every pod has these.
_INTERCEPTION: Final = frozenset(
    (
        f"{_SIDECAR}/interceptionMode",
        f"{_TRAFFIC}/includeInboundPorts",
        f"{_TRAFFIC}/excludeInboundPorts",
        f"{_TRAFFIC}/includeOutboundIPRanges",
    )
)
_CHECKS: Final[Mapping[str, Callable[[str], str]]] = {
    f"{_SIDECAR}/interceptionMode": values.interception_mode,
    "status.sidecar.istio.io/port": values.status_port,
    f"{_READINESS}/initialDelaySeconds": values.unsigned,
    f"{_READINESS}/periodSeconds": values.unsigned,
    f"{_READINESS}/failureThreshold": values.unsigned,
    f"{_TRAFFIC}/includeOutboundIPRanges": values.include_ranges,
    f"{_TRAFFIC}/excludeOutboundIPRanges": values.exclude_ranges,
    f"{_TRAFFIC}/includeInboundPorts": values.include_inbound_ports,
    f"{_TRAFFIC}/excludeInboundPorts": values.exclude_inbound_ports,
    f"{_TRAFFIC}/excludeOutboundPorts": values.exclude_outbound_ports,
    "prometheus.istio.io/merge-metrics": values.boolean,
    "proxy.istio.io/config": values.proxy_config,
    f"{_SIDECAR}/proxyCPU": values.quantity,
    f"{_SIDECAR}/proxyMemory": values.quantity,
    f"{_SIDECAR}/proxyCPULimit": values.quantity,
    f"{_SIDECAR}/proxyMemoryLimit": values.quantity,
}


class _Known(NamedTuple):
    kinds: tuple[str, ...]
    deprecated: bool
    alpha: bool


def _read() -> dict[str, _Known]:
    found = {}
    for line in _TABLE.strip().splitlines():
        kinds, *words = line.split()
        for word in words:
            name = word.rstrip("!-")
            rest = word.removeprefix(name)
            found[name] = _Known(tuple(kinds.split(",")), "-" in rest, "!" not in rest)
    return found


KNOWN: Final = _read()


def istios(name: str) -> bool:
    """Whether an annotation is Istio's."""
    return name == "kubernetes.io/ingress.class" or name.partition("/")[0].endswith("istio.io")


def misuse(objects: Collection) -> Messages:
    for kind in _KINDS:
        for item in objects.all(kind):
            for name, value in item.annotations.items():
                if istios(name) and name not in _OWN:
                    yield from _annotation(item, kind, name, value)


def _annotation(item: Item, kind: str, name: str, value: str) -> Messages:
    at, known = f"metadata.annotations.{name}", KNOWN.get(name)
    if known is None:
        yield report("UnknownAnnotation", item, name, at=at)
        return
    replaced = name == mesh.INJECT
    if known.deprecated and not (replaced and mesh.INJECT in item.labels):
        extra = f' in favor of the "{mesh.INJECT}" label' if replaced else ""
        yield report("DeprecatedAnnotation", item, name, extra, at=at)
    if _ANY in known.kinds:
        return
    if kind not in known.kinds:
        yield report("MisplacedAnnotation", item, name, ", ".join(known.kinds), at=at)
        return
    problem = _CHECKS[name](value) if name in _CHECKS else ""
    if problem:
        yield report("InvalidAnnotation", item, name, problem, at=at)


def alpha(objects: Collection) -> Messages:
    """Annotations of alpha features; a part of ``precheck``, too noisy for ``analyze``."""
    for kind in _KINDS:
        for item in objects.all(kind):
            for name in item.annotations:
                known = KNOWN.get(name)
                if known and known.alpha and name not in _OWN and not _by_default(item, name):
                    yield report("AlphaAnnotation", item, name, at=f"metadata.annotations.{name}")


def _by_default(item: Item, name: str) -> bool:
    if item.kind != "Pod" or name not in _INTERCEPTION:
        return False
    return not any(one.get("name") == "istio-init" for one in mesh.containers(item.spec))


ANALYZERS: Final = (
    Analyzer(
        "annotations.K8sAnalyzer",
        "Checks for misplaced and invalid Istio annotations in Kubernetes resources",
        _KINDS,
        misuse,
    ),
)
