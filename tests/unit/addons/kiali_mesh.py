"""A small Bookinfo for Kiali's tests: objects and samples."""

from __future__ import annotations

from typing import Any

import yaml

from meshcourse.embedded.addons.kiali.graph.build import Sample
from meshcourse.embedded.addons.kiali.mesh import CONFIG, Mesh
from meshcourse.embedded.kube import objects, refs
from meshcourse.embedded.kube.objects import Object
from meshcourse.embedded.kube.refs import Resource

_KINDS = {each.kind: each for each in CONFIG if each is not refs.K8S_GATEWAYS}
_KINDS["Service"] = refs.SERVICES


def namespace(name: str) -> Object:
    return {"metadata": {"name": name, "creationTimestamp": "2026-01-01T00:00:00Z"}}


def service(name: str, space: str = "default", **port: Any) -> Object:
    ports = [{"port": 9080, "name": "http", **port}]
    spec = {"selector": {"app": name}, "ports": ports}
    return {"metadata": {"name": name, "namespace": space, "labels": {"app": name}}, "spec": spec}


def deployment(app: str, version: str, space: str = "default", available: int = 1) -> Object:
    labels = {"app": app, "version": version}
    containers = [{"name": "app", "ports": [{"containerPort": 9080}]}]
    return {
        "metadata": {"name": f"{app}-{version}", "namespace": space},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": containers}},
        },
        "status": {"replicas": 1, "availableReplicas": available},
    }


def pod(app: str, version: str, space: str = "default") -> Object:
    return {
        "metadata": {
            "name": f"{app}-{version}-x",
            "namespace": space,
            "labels": {"app": app, "version": version},
            "annotations": {"sidecar.istio.io/status": "{}"},
            "ownerReferences": [{"controller": True, "kind": "ReplicaSet", "uid": "u"}],
        },
        "spec": {"containers": [{"name": "app"}, {"name": "istio-proxy"}]},
    }


_WORKLOADS = [
    ("productpage", "v1"),
    ("details", "v1"),
    ("reviews", "v1"),
    ("reviews", "v2"),
    ("ratings", "v1"),
]


def gateway_pods() -> Object:
    found = deployment("gateway", "v1", "istio-system")
    labels = {"app": "gateway", "istio": "ingressgateway"}
    labels["operator.istio.io/component"] = "IngressGateways"
    found["metadata"]["name"] = "gateway"
    found["spec"]["template"]["metadata"]["labels"] = labels
    found["spec"]["selector"]["matchLabels"] = labels
    return found


def mesh(documents: str = "", config: str = "outboundTrafficPolicy: {mode: REGISTRY_ONLY}") -> Mesh:
    """Bookinfo and the objects of some YAML documents; unknown hosts may not be called."""
    account = {"metadata": {"name": "reader", "namespace": "default"}}
    root = {"metadata": {"name": "istio", "namespace": "istio-system"}, "data": {"mesh": config}}
    listed: dict[Resource, list[Object]] = {
        refs.NAMESPACES: [namespace("default"), namespace("istio-system"), namespace("empty")],
        refs.SERVICES: [service(app) for app in dict.fromkeys(app for app, _ in _WORKLOADS)],
        refs.DEPLOYMENTS: [*(deployment(*one) for one in _WORKLOADS), gateway_pods()],
        refs.PODS: [pod(*one) for one in _WORKLOADS],
        refs.SERVICEACCOUNTS: [account],
        refs.CONFIGMAPS: [root],
    }
    for obj in yaml.safe_load_all(documents):
        if obj:
            obj["metadata"].setdefault("namespace", "default")
            same = listed.setdefault(_KINDS[obj["kind"]], [])
            same[:] = [one for one in same if objects.key(one) != objects.key(obj)] + [obj]
    return Mesh(listed)


def sample(
    source: str, target: str, value: float, reporter: str = "destination", **more: str
) -> Sample:
    """Requests of one workload (``app-version``, ``app-version.namespace`` or ``unknown``) to another."""
    labels = {"reporter": reporter, "request_protocol": "http", "response_code": "200"}
    labels |= {"response_flags": "-", "grpc_response_status": ""}
    labels |= _end("source", source) | _end("destination", target)
    space = labels["destination_workload_namespace"]
    app = labels["destination_canonical_service"]
    labels |= {"destination_service_namespace": space, "destination_service_name": app}
    labels["destination_service"] = f"{app}.{space}.svc.cluster.local"
    return Sample({**labels, **more}, value)


def _end(side: str, text: str) -> dict[str, str]:
    name, _, space = text.partition(".")
    app, _, version = name.rpartition("-")
    unknown = name == "unknown"
    values = {
        "workload": name,
        "workload_namespace": "unknown" if unknown else space or "default",
        "canonical_service": "unknown" if unknown else app or name,
        "canonical_revision": "latest" if unknown or not app else version,
        "cluster": "unknown" if unknown else "Kubernetes",
    }
    return {f"{side}_{key}": value for key, value in values.items()}
