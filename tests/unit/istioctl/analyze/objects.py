"""Objects for the tests of analyzers, written shortly."""

from __future__ import annotations

from typing import Any

import yaml

from meshcourse.embedded.istioctl.analyze.collection import Collection, collect

Object = dict[str, Any]
_VERSIONS = {
    "VirtualService": "networking.istio.io/v1",
    "DestinationRule": "networking.istio.io/v1",
    "Gateway": "networking.istio.io/v1",
    "ServiceEntry": "networking.istio.io/v1",
    "Sidecar": "networking.istio.io/v1",
    "EnvoyFilter": "networking.istio.io/v1alpha3",
    "WorkloadEntry": "networking.istio.io/v1",
    "AuthorizationPolicy": "security.istio.io/v1",
    "RequestAuthentication": "security.istio.io/v1",
    "PeerAuthentication": "security.istio.io/v1",
    "Telemetry": "telemetry.istio.io/v1",
    "HTTPRoute": "gateway.networking.k8s.io/v1",
    "Deployment": "apps/v1",
    "CustomResourceDefinition": "apiextensions.k8s.io/v1",
    "MutatingWebhookConfiguration": "admissionregistration.k8s.io/v1",
    "ValidatingWebhookConfiguration": "admissionregistration.k8s.io/v1",
}
_CLUSTER = ("Namespace", "Node", "CustomResourceDefinition")


def make(kind: str, name: str, text: str = "", **more: Any) -> Object:
    """An object: ``kind namespace/name`` with a spec in YAML; `more` are fields beside it or of metadata."""
    namespace, slash, last = name.rpartition("/")
    meta: Object = {"name": last}
    if kind not in _CLUSTER and not kind.endswith("WebhookConfiguration"):
        meta["namespace"] = namespace if slash else "default"
    meta |= {key: more.pop(key) for key in ("labels", "annotations") if key in more}
    made = {"apiVersion": _VERSIONS.get(kind, "v1"), "kind": kind, "metadata": meta, **more}
    return made | ({"spec": yaml.safe_load(text)} if text else {})


def pod(name: str, labels: str = "", **more: Any) -> Object:
    """A pod with a proxy; labels as ``app=web,version=v1``."""
    pairs = dict(one.split("=") for one in labels.split(",")) if labels else {}
    text = "containers: [{name: app, image: web}, {name: istio-proxy, image: proxyv2}]"
    return make("Pod", name, text, labels=pairs, **more)


def service(name: str, ports: str = "[{name: http, port: 80}]", selector: str = "{}") -> Object:
    return make("Service", name, f"{{ports: {ports}, selector: {selector}}}")


def namespace(name: str, **labels: str) -> Object:
    return make("Namespace", name, labels={k.replace("_", "-"): v for k, v in labels.items()})


def route(name: str, destination: str, more: str = "") -> Object:
    """A VirtualService for `reviews` with one route."""
    return make(
        "VirtualService",
        name,
        f"{{hosts: [reviews], http: [{{route: [{{destination: {destination}}}]}}]{more}}}",
    )


def gateway(name: str, servers: str, selector: str = "{istio: ingressgateway}") -> Object:
    return make("Gateway", name, f"{{selector: {selector}, servers: {servers}}}")


def gathered(*objects: Object, mesh: Object | None = None) -> Collection:
    return collect(objects, mesh)
