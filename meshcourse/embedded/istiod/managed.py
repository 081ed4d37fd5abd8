"""The objects of a gateway that the Gateway API asks for: ServiceAccount, Deployment, Service. Pure.

Source: the template ``kube-gateway`` of Istio's istiod chart (names, labels, owner) and pilot's
deployment controller. One difference: the container declares the ports of the listeners, because the
kubelet here maps declared ports that this user may not bind.
"""

from __future__ import annotations

from typing import Any, Final

from meshcourse.embedded.istio.model.converted import Deployed
from meshcourse.embedded.istiod.inject import proxy, volumes
from meshcourse.embedded.istiod.inject.owner import Owner
from meshcourse.embedded.istiod.inject.values import Values
from meshcourse.embedded.kube.objects import Object

_NAME: Final = "gateway.networking.k8s.io/gateway-name"
_CLASS: Final = "gateway.networking.k8s.io/gateway-class-name"
MANAGED: Final = "gateway.istio.io/managed"
MANAGER: Final = "istio.io-gateway-controller"
STATUS_PORT: Final = 15021
#: Annotations of the Gateway that mean the Gateway itself.
_OWN: Final = frozenset(
    (
        "kubectl.kubernetes.io/last-applied-configuration",
        "gateway.istio.io/name-override",
        "gateway.istio.io/service-account",
        "gateway.istio.io/controller-version",
    )
)


def build(wanted: Deployed, values: Values) -> list[Object]:
    """The objects in the order in which they are to be applied."""
    return [
        _object("v1", "ServiceAccount", wanted, wanted.service_account),
        {
            **_object("v1", "Service", wanted, wanted.name),
            "spec": _service(wanted),
        },
        {
            **_object("apps/v1", "Deployment", wanted, wanted.name, {MANAGED: MANAGER}),
            "spec": _deployment(wanted, values),
        },
    ]


def _names(wanted: Deployed) -> dict[str, str]:
    return {_NAME: wanted.gateway.name, _CLASS: wanted.gateway_class}


def _annotations(wanted: Deployed) -> dict[str, str]:
    return {key: value for key, value in wanted.annotations.items() if key not in _OWN}


def _object(
    version: str, kind: str, wanted: Deployed, name: str, labels: dict[str, str] | None = None
) -> Object:
    owner = {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "Gateway",
        "name": wanted.gateway.name,
        "uid": wanted.uid,
    }
    metadata = {
        "name": name,
        "namespace": wanted.gateway.namespace,
        "labels": {**wanted.labels, **_names(wanted), **(labels or {})},
        "annotations": _annotations(wanted),
        "ownerReferences": [owner],
    }
    return {"apiVersion": version, "kind": kind, "metadata": metadata}


def _service(wanted: Deployed) -> Object:
    listed = [("status-port", STATUS_PORT, "tcp"), *wanted.ports]
    spec: dict[str, Any] = {
        "type": wanted.service_type,
        "selector": {_NAME: wanted.gateway.name},
        "ports": [
            {"name": name, "port": port, "protocol": "TCP", "appProtocol": protocol}
            for name, port, protocol in listed
        ],
    }
    if wanted.address and wanted.service_type == "LoadBalancer":
        spec["loadBalancerIP"] = wanted.address
    return spec


def _deployment(wanted: Deployed, values: Values) -> Object:
    labels = {
        "sidecar.istio.io/inject": "false",
        "service.istio.io/canonical-name": wanted.name,
        "service.istio.io/canonical-revision": "latest",
        "istio.io/dataplane-mode": "none",
        **wanted.labels,
        **_names(wanted),
        MANAGED: MANAGER,
    }
    annotations = {
        **_annotations(wanted),
        "istio.io/rev": values.revision or "default",
        "prometheus.io/path": "/stats/prometheus",
        "prometheus.io/port": "15020",
        "prometheus.io/scrape": "true",
    }
    metadata = {"labels": labels, "annotations": annotations}
    return {
        "selector": {"matchLabels": {_NAME: wanted.gateway.name}},
        "template": {
            "metadata": metadata,
            "spec": {
                "serviceAccountName": wanted.service_account,
                "containers": [_container(wanted, values, metadata)],
                "volumes": volumes.volumes(),
            },
        },
    }


def _container(wanted: Deployed, values: Values, metadata: Object) -> Object:
    owner = Owner("apps/v1", "Deployment", wanted.name)
    pod = {"metadata": metadata, "spec": {}}
    namespace = wanted.gateway.namespace
    container = proxy.gateway(proxy.Context(pod, namespace, owner, values, values.proxy_config))
    served = [{"containerPort": port, "protocol": "TCP"} for _, port, _ in wanted.ports]
    extra = [
        {"containerPort": 15020, "name": "metrics", "protocol": "TCP"},
        {"containerPort": STATUS_PORT, "name": "status-port", "protocol": "TCP"},
    ]
    return {**container, "ports": [*served, *extra, *container["ports"]]}
