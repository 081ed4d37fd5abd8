"""Components "IngressGateways" and "EgressGateways": a proxy without an application, and its Service."""

from __future__ import annotations

from typing import Any

from meshcourse.embedded.istioctl.manifests import common
from meshcourse.embedded.istioctl.manifests.profiles import Spec, merge
from meshcourse.embedded.istiod.inject import proxy, volumes
from meshcourse.embedded.istiod.inject.owner import Owner
from meshcourse.embedded.istiod.inject.values import Values, read
from meshcourse.embedded.kube.objects import Object

_KINDS = {
    "IngressGateways": ("ingressGateways", "istio-ingressgateway", "ingressgateway"),
    "EgressGateways": ("egressGateways", "istio-egressgateway", "egressgateway"),
}


def objects(spec: Spec, component: str) -> list[Object]:
    """The objects of all gateways of a component that are enabled."""
    field = _KINDS[component][0]
    gateways = (spec.get("components") or {}).get(field) or []
    found: list[Object] = []
    for entry in gateways:
        if entry.get("enabled", True):
            found += _Gateway(spec, component, entry).objects()
    return found


class _Gateway:
    """One gateway. `entry` is its element of ``components.ingressGateways``."""

    def __init__(self, spec: Spec, component: str, entry: dict[str, Any]) -> None:
        _, chart, role = _KINDS[component]
        self._name = str(entry.get("name") or chart)
        self._namespace = str(entry.get("namespace") or common.NAMESPACE)
        self._component = component
        values = spec.get("values") or {}
        own = (values.get("gateways") or {}).get(chart) or {}
        self._settings: dict[str, Any] = merge(own, (entry.get("k8s") or {}))
        self._values = _values(spec)
        self._selector = {"app": self._name, "istio": role, **(entry.get("label") or {})}
        self._revision = str(spec.get("revision") or "")

    def objects(self) -> list[Object]:
        account = f"{self._name}-service-account"
        labels = common.labels(self._component, self._revision, **self._selector)
        namespace = self._namespace
        return [
            common.build("v1", "ServiceAccount", account, labels, namespace),
            common.build("v1", "Service", self._name, labels, namespace, spec=self._service()),
            common.build(
                "apps/v1", "Deployment", self._name, labels, namespace, spec=self._deployment()
            ),
        ]

    def _service(self) -> Object:
        own = self._settings.get("service") or {}
        ports = own.get("ports") or self._settings.get("ports") or []
        return {
            "type": own.get("type") or self._settings.get("type") or "LoadBalancer",
            "selector": self._selector,
            "ports": [{"protocol": "TCP", **port} for port in ports],
        }

    def _deployment(self) -> Object:
        labels = {
            **common.labels(self._component, self._revision, **self._selector),
            "service.istio.io/canonical-name": self._name,
            "service.istio.io/canonical-revision": "latest",
            "sidecar.istio.io/inject": "false",
            "istio.io/dataplane-mode": "none",
        }
        annotations = {
            "istio.io/rev": self._revision or "default",
            "prometheus.io/port": "15020",
            "prometheus.io/scrape": "true",
            "prometheus.io/path": "/stats/prometheus",
            "sidecar.istio.io/inject": "false",
        }
        return {
            "replicas": int(self._settings.get("replicaCount") or 1),
            "selector": {"matchLabels": self._selector},
            "strategy": {"rollingUpdate": {"maxSurge": "100%", "maxUnavailable": "25%"}},
            "template": {
                "metadata": {"labels": labels, "annotations": annotations},
                "spec": {
                    "serviceAccountName": f"{self._name}-service-account",
                    "containers": [self._container(labels, annotations)],
                    "volumes": volumes.volumes(),
                },
            },
        }

    def _container(self, labels: dict[str, str], annotations: dict[str, str]) -> Object:
        pod = {"metadata": {"labels": labels, "annotations": annotations}, "spec": {}}
        owner = Owner("apps/v1", "Deployment", self._name)
        context = proxy.Context(
            pod, self._namespace, owner, self._values, self._values.proxy_config
        )
        container = proxy.gateway(context)
        served = [
            {"containerPort": port.get("targetPort") or port["port"], "protocol": "TCP"}
            for port in self._service()["ports"]
        ]
        return {
            **container,
            "ports": [*served, *container["ports"]],
            "resources": self._settings.get("resources") or container["resources"],
        }


def _values(spec: Spec) -> Values:
    """The injector's settings, as istiod will read them from the ConfigMaps."""
    helm = merge(
        spec.get("values") or {}, {"global": {"hub": spec.get("hub"), "tag": spec.get("tag")}}
    )
    return read(helm, spec.get("meshConfig") or {}, str(spec.get("revision") or ""))
