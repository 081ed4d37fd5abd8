"""ServiceEntries that need addresses, and fields and kinds that are on their way out."""

from __future__ import annotations

from typing import Final

from meshcourse.embedded.istioctl.analyze.analyzer import Analyzer
from meshcourse.embedded.istioctl.analyze.codes import report
from meshcourse.embedded.istioctl.analyze.collection import Collection
from meshcourse.embedded.istioctl.analyze.item import lists, maps
from meshcourse.embedded.istioctl.analyze.messages import Messages
from meshcourse.embedded.kube import objects as kube

_REMOVED: Final = frozenset(
    ("ClusterRbacConfig", "RbacConfig", "ServiceRole", "ServiceRoleBinding")
)
_ALLOCATIONS: Final = ("ISTIO_META_DNS_AUTO_ALLOCATE", "PILOT_ENABLE_IP_AUTOALLOCATE")


def addresses(objects: Collection) -> Messages:
    """TCP is told apart by address, so it needs one."""
    metadata = maps(kube.dig(dict(objects.mesh), "defaultConfig.proxyMetadata", {}))
    allocated = metadata.get("ISTIO_META_DNS_CAPTURE") == "true" and any(
        metadata.get(name) == "true" for name in _ALLOCATIONS
    )
    for entry in objects.all("ServiceEntry"):
        given = entry.spec.get("addresses") or kube.dig(entry.obj, "status.addresses", [])
        if allocated or given:
            continue
        for i, port in enumerate(lists(entry.spec.get("ports"))):
            if str(port.get("protocol") or "TCP").upper() == "TCP":
                yield report("ServiceEntryAddressesRequired", entry, at=f"spec.ports[{i}].name")


def deprecations(objects: Collection) -> Messages:
    for service in objects.all("VirtualService"):
        for route in lists(service.spec.get("http")):
            if kube.dig(route, "fault.delay.percent", 0) > 0:
                text = (
                    "HTTPRoute.fault.delay.percent is deprecated; use "
                    "HTTPRoute.fault.delay.percentage"
                )
                yield report("Deprecated", service, text)
    for sidecar in objects.all("Sidecar"):
        if maps(sidecar.spec.get("outboundTrafficPolicy")).get("egressProxy"):
            yield report("Deprecated", sidecar, "OutboundTrafficPolicy.EgressProxy ignored")
    for crd in objects.all("CustomResourceDefinition"):
        kind = kube.dig(crd.obj, "spec.names.kind", "")
        if crd.spec.get("group") == "rbac.istio.io" and kind in _REMOVED:
            yield report("Deprecated", crd, f"Custom resource type rbac.istio.io {kind} is removed")


ANALYZERS: Final = (
    Analyzer(
        "serviceentry.Analyzer",
        "Checks the validity of ServiceEntry",
        ("ServiceEntry",),
        addresses,
    ),
    Analyzer(
        "deprecation.DeprecationAnalyzer",
        "Checks for deprecated Istio types and fields",
        ("VirtualService", "Sidecar", "CustomResourceDefinition"),
        deprecations,
    ),
)
