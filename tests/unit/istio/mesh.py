"""Small meshes to translate: a builder of Kubernetes objects as the API server would list them."""

from __future__ import annotations

import itertools
from typing import Any

import yaml

from meshcourse.embedded.istio import ingest, model
from meshcourse.embedded.istio.translate import Translator
from meshcourse.embedded.kube import addresses, refs
from meshcourse.embedded.kube.objects import Object

_KINDS = {(one.kind, one.group): one for one in ingest.KINDS}


class Mesh:
    """Objects by kind; `snapshot` and `resources` translate them, keeping caches between calls."""

    def __init__(self, network: str = "127.66") -> None:
        self.network = network
        self.objects: dict[refs.Resource, list[Object]] = {}
        self.translator = Translator()
        #: Key sets by URI, as istiod would have fetched them.
        self.keys: dict[str, str] = {}
        self._last: model.Snapshot | None = None
        self._counter = itertools.count(1)
        for name in ("default", "istio-system", "other"):
            self.add({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})

    def add(self, obj: Object) -> Object:
        """Stores an object with uid, resourceVersion and creation time; replaces one of the same
        name.
        """
        number = next(self._counter)
        group = obj["apiVersion"].rpartition("/")[0]
        resource = _KINDS[obj["kind"], group]
        meta = obj.setdefault("metadata", {})
        if resource.namespaced:
            meta.setdefault("namespace", "default")
        stored = self.objects.setdefault(resource, [])
        old = [one for one in stored if _same_name(one, obj)]
        meta["uid"] = old[0]["metadata"]["uid"] if old else f"uid-{number}"
        meta["resourceVersion"] = str(number)
        meta.setdefault("creationTimestamp", f"2026-01-01T00:{number // 60:02}:{number % 60:02}Z")
        self.objects[resource] = [one for one in stored if one not in old] + [obj]
        return obj

    def apply(self, text: str) -> None:
        """Stores all documents of a YAML text."""
        for obj in yaml.safe_load_all(text):
            if obj:
                self.add(obj)

    def delete(self, kind: str, name: str) -> None:
        """Removes an object by kind and name (any namespace)."""
        for found in self.objects.values():
            found[:] = [
                one for one in found if (one["kind"], one["metadata"]["name"]) != (kind, name)
            ]

    def service(
        self,
        name: str,
        port: int = 9080,
        *,
        namespace: str = "default",
        port_name: str = "http",
        target: int | str | None = None,
        **spec: Any,
    ) -> None:
        """A ClusterIP service that selects ``app: NAME``."""
        number = len(self.objects.get(refs.SERVICES, ())) + 1
        ports = [{"name": port_name, "port": port, "targetPort": target or port}]
        body = {
            "clusterIP": f"{self.network}.200.{number}",
            "selector": {"app": name},
            "ports": ports,
            **spec,
        }
        self.add(
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {"name": name, "namespace": namespace},
                "spec": body,
            }
        )

    def pod(
        self,
        app: str,
        version: str = "v1",
        *,
        port: int = 9080,
        namespace: str = "default",
        proxy: str = "sidecar",
        labels: dict[str, str] | None = None,
        account: str = "",
    ) -> str:
        """A running pod of a deployment ``APP-VERSION`` and the slice entries of the services that
        select it.
        """
        number = len(self.objects.get(refs.PODS, ())) + 1
        name = f"{app}-{version}-5d8f-{number}"
        where = addresses.PodAddresses(f"{self.network}.0.{number}", f"{self.network}.128.{number}")
        containers: list[Object] = [{"name": app, "ports": [{"containerPort": port}]}]
        if proxy:
            containers.append({"name": "istio-proxy", "args": ["proxy", proxy]})
        self.add(
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {
                    "name": name,
                    "namespace": namespace,
                    "labels": {
                        "app": app,
                        "version": version,
                        "pod-template-hash": "5d8f",
                        **(labels or {}),
                    },
                    "annotations": {addresses.ANNOTATION: where.render()},
                    "ownerReferences": [
                        {"kind": "ReplicaSet", "name": f"{app}-{version}-5d8f", "controller": True}
                    ],
                },
                "spec": {"serviceAccountName": account or app, "containers": containers},
                "status": {"phase": "Running", "podIP": where.pod_ip},
            }
        )
        self._slices()
        return name

    def _slices(self) -> None:
        """EndpointSlices as the controller would write them."""
        for service in self.objects.get(refs.SERVICES, ()):
            selector = service["spec"].get("selector") or {}
            pods = [
                one
                for one in self.objects[refs.PODS]
                if one["metadata"]["namespace"] == service["metadata"]["namespace"]
                and selector
                and selector.items() <= one["metadata"]["labels"].items()
            ]
            self.add(_slice(service, pods))

    def snapshot(self) -> model.Snapshot:
        """The mesh now."""
        self._last = ingest.snapshot(self.objects, self._last, keys=self.keys)
        return self._last

    def proxy(self, pod: str, namespace: str = "default") -> model.Proxy:
        """The proxy in a pod."""
        found = self.snapshot().proxy(namespace, pod)
        assert found is not None, pod
        return found

    def resources(self, pod: str, namespace: str = "default") -> model.Resources:
        """What the proxy in a pod is told now."""
        return self.translator.resources(self.snapshot(), self.proxy(pod, namespace))


def _same_name(left: Object, right: Object) -> bool:
    one, two = left["metadata"], right["metadata"]
    return (one["name"], one.get("namespace")) == (two["name"], two.get("namespace"))


def _slice(service: Object, pods: list[Object]) -> Object:
    meta = service["metadata"]
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": f"{meta['name']}-1",
            "namespace": meta["namespace"],
            "labels": {"kubernetes.io/service-name": meta["name"]},
        },
        "addressType": "IPv4",
        "ports": [
            {"name": port.get("name", ""), "port": port["targetPort"]}
            for port in service["spec"]["ports"]
        ],
        "endpoints": [
            {
                "addresses": [pod["status"]["podIP"]],
                "conditions": {"ready": True},
                "targetRef": {"kind": "Pod", "name": pod["metadata"]["name"]},
            }
            for pod in pods
        ],
    }


def bookinfo(network: str = "127.66") -> Mesh:
    """Bookinfo with sidecars, and an ingress gateway on 80 → 8080 and 443 → 8443."""
    mesh = Mesh(network)
    for name in ("productpage", "details", "reviews", "ratings"):
        mesh.service(name)
    for app, version in (
        ("productpage", "v1"),
        ("details", "v1"),
        ("reviews", "v1"),
        ("reviews", "v2"),
        ("reviews", "v3"),
        ("ratings", "v1"),
    ):
        mesh.pod(app, version, account=f"bookinfo-{app}")
    add_gateway(mesh)
    return mesh


def add_gateway(mesh: Mesh, name: str = "istio-ingressgateway") -> str:
    """A gateway pod with its service, as the demo profile installs them; returns the pod's name."""
    mesh.add(
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": name, "namespace": "istio-system"},
            "spec": {
                "clusterIP": f"{mesh.network}.201.1",
                "selector": {"app": name},
                "ports": [
                    {"name": "http2", "port": 80, "targetPort": 8080},
                    {"name": "https", "port": 443, "targetPort": 8443},
                    {"name": "tcp", "port": 31400, "targetPort": 31400},
                ],
            },
        }
    )
    labels = {"istio": name.removeprefix("istio-")}
    return mesh.pod(name, "v1", port=8080, namespace="istio-system", proxy="router", labels=labels)


BOOKINFO_GATEWAY = """
apiVersion: networking.istio.io/v1
kind: Gateway
metadata: {name: bookinfo-gateway}
spec:
  selector: {istio: ingressgateway}
  servers:
  - port: {number: 80, name: http, protocol: HTTP}
    hosts: ["*"]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: bookinfo}
spec:
  hosts: ["*"]
  gateways: [bookinfo-gateway]
  http:
  - match:
    - uri: {exact: /productpage}
    - uri: {prefix: /static}
    route:
    - destination: {host: productpage, port: {number: 9080}}
"""
REVIEWS_SUBSETS = """
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: reviews}
spec:
  host: reviews
  subsets:
  - {name: v1, labels: {version: v1}}
  - {name: v2, labels: {version: v2}}
  - {name: v3, labels: {version: v3}}
"""
