"""The Gateway API: selectors where a targetRef belongs, conditions that say no, versions of CRDs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from meshcourse.embedded.istioctl.analyze import mesh
from meshcourse.embedded.istioctl.analyze.analyzer import Analyzer
from meshcourse.embedded.istioctl.analyze.codes import report
from meshcourse.embedded.istioctl.analyze.collection import Collection
from meshcourse.embedded.istioctl.analyze.item import KUBERNETES_GATEWAY, Item, lists, maps
from meshcourse.embedded.istioctl.analyze.messages import Messages
from meshcourse.embedded.kube import objects as kube

GROUP: Final = "gateway.networking.k8s.io"
_GATEWAY_NAME: Final = f"{GROUP}/gateway-name"
_BUNDLE: Final = f"{GROUP}/bundle-version"
_POLICIES: Final = ("AuthorizationPolicy", "RequestAuthentication", "Telemetry", "WasmPlugin")
_MINIMUM: Final = {
    f"grpcroutes.{GROUP}": (1, 1, 0),
    f"backendtlspolicies.{GROUP}": (1, 4, 0),
    f"tlsroutes.{GROUP}": (1, 5, 0),
}
_WAYPOINT: Final = ("istio.io/WaypointBound",)
_ROUTE: Final = ("Accepted", "Programmed", "ResolvedRefs")
#: Conditions that are bad news when they are False.
_CONDITIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "Service": _WAYPOINT,
    "ServiceEntry": _WAYPOINT,
    "WorkloadEntry": _WAYPOINT,
    "AuthorizationPolicy": ("ZtunnelAccepted", "WaypointAccepted"),
    KUBERNETES_GATEWAY: _ROUTE,
    "HTTPRoute": _ROUTE,
    "GRPCRoute": _ROUTE,
}
_VERSION: Final = re.compile(r"v?(\d+)\.(\d+)\.(\d+)(?:-.+)?$")


def selectors(objects: Collection) -> Messages:
    """Policies bind to Gateways of the Gateway API by targetRef only."""
    pods = [pod for pod in objects.all("Pod") if _GATEWAY_NAME in pod.labels]
    for kind in _POLICIES:
        for policy in objects.all(kind):
            selector = policy.spec.get("selector")
            if policy.spec.get("targetRef") or selector is None:
                continue
            labels = maps(maps(selector).get("matchLabels"))
            for pod in pods:
                if pod.namespace == policy.namespace and mesh.selects(labels, pod.labels):
                    yield report("IneffectiveSelector", policy, pod.labels[_GATEWAY_NAME])


def conditions(objects: Collection) -> Messages:
    for kind, types in _CONDITIONS.items():
        for item in objects.all(kind):
            for one in _found(item):
                negative = one.get("type") in types and one.get("status") == "False"
                partial = kind == "AuthorizationPolicy" and (
                    one.get("type"),
                    one.get("reason"),
                ) == ("WaypointAccepted", "PartiallyInvalid")
                if negative or partial:
                    arguments = (str(one.get(key, "")) for key in ("type", "reason", "message"))
                    yield report("NegativeConditionStatus", item, *arguments)


def _found(item: Item) -> Iterator[Mapping[str, Any]]:
    """Conditions of the object; those of a route are per parent."""
    status = maps(item.obj.get("status"))
    yield from lists(status.get("conditions"))
    for parent in lists(status.get("parents")):
        yield from lists(parent.get("conditions"))


def versions(objects: Collection) -> Messages:
    for crd in objects.all("CustomResourceDefinition"):
        minimum = _MINIMUM.get(crd.name)
        found = _VERSION.match(crd.annotations.get(_BUNDLE, ""))
        if minimum and found and tuple(map(int, found.groups())) < minimum:
            installed, wanted = found[0].removeprefix("v"), ".".join(map(str, minimum))
            yield report("GatewayAPICRDVersionBelowMinimum", crd, crd.name, installed, wanted)


def served(crd: Item) -> list[str]:
    """Versions that a CRD serves, sorted."""
    found = lists(crd.spec.get("versions"))
    return sorted(str(one.get("name")) for one in found if one.get("served"))


def kind_versions(objects: Collection) -> Messages:
    """What ``precheck`` asks of the kinds of the Gateway API: v1beta1 at least, v1 soon."""
    for crd in objects.all("CustomResourceDefinition"):
        if crd.spec.get("group") != GROUP:
            continue
        kind, found = kube.dig(crd.obj, "spec.names.kind", ""), served(crd)
        shown = ",".join(found) or "none"
        beta = kind in ("Gateway", "GatewayClass", "HTTPRoute", "ReferenceGrant")
        stable = kind in ("Gateway", "GatewayClass", "HTTPRoute", "GRPCRoute")
        if beta and "v1beta1" not in found:
            yield report("UnsupportedGatewayAPIVersion", crd, shown, "v1beta1")
        if stable and "v1" not in found:
            yield report("FutureUnsupportedGatewayAPIVersion", crd, shown, "v1")


ANALYZERS: Final = (
    Analyzer(
        "k8sgateway.SelectorAnalyzer",
        "Check that selectors are effective for Kubernetes gateway",
        (*_POLICIES, "Pod"),
        selectors,
    ),
    Analyzer(
        "k8sgateway.CRDVersionAnalyzer",
        "Checks Gateway API CRDs are at the minimum version required by this Istio version",
        ("CustomResourceDefinition",),
        versions,
    ),
    Analyzer(
        "conditions.ConditionAnalyzer",
        "Checks for negative status conditions on resources",
        tuple(_CONDITIONS),
        conditions,
    ),
)
