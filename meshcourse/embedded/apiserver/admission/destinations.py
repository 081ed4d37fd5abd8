"""Where a webhook listens: its URL, or a pod behind the Service that its configuration names."""

from __future__ import annotations

import random
from dataclasses import dataclass
from urllib.parse import urlsplit

from meshcourse.embedded.apiserver.store.store import Store
from meshcourse.embedded.kube import addresses, objects, refs
from meshcourse.embedded.kube.objects import Object

_SERVICE_LABEL = "kubernetes.io/service-name"


class Unreachable(Exception):
    """There is nobody to call."""


@dataclass(frozen=True, slots=True)
class Destination:
    """`url` is how messages name it; `host` and `port` are where to connect; `name` is what TLS must prove."""

    url: str
    host: str
    port: int
    name: str

    @property
    def path(self) -> str:
        parts = urlsplit(self.url)
        return parts.path + (f"?{parts.query}" if parts.query else "")


def find(store: Store, client_config: Object) -> Destination:
    """The destination of a ``WebhookClientConfig``.

    :raises Unreachable: if the Service, its port or a ready endpoint is missing.
    """
    if client_config.get("url"):
        parts = urlsplit(client_config["url"])
        host = parts.hostname or ""
        return Destination(client_config["url"], host, parts.port or 443, host)
    service = client_config["service"]
    name, namespace = service["name"], service["namespace"]
    port = int(service.get("port") or 443)
    server = server_name(name, namespace)
    host, real = _endpoint(store, namespace, name, port)
    path = service.get("path") or "/"
    return Destination(f"https://{server}:{port}{path}", host, real, server)


def server_name(name: str, namespace: str) -> str:
    """The name that a webhook's certificate must be for."""
    return f"{name}.{namespace}.svc"


def _endpoint(store: Store, namespace: str, name: str, port: int) -> tuple[str, int]:
    service = store.get(refs.SERVICES.qualified, namespace, name)
    if service is None:
        raise Unreachable(f'service "{name}" not found')
    found = next((p for p in service["spec"].get("ports") or () if p["port"] == port), None)
    if found is None:
        raise Unreachable(f'no service port {port} found for service "{name}"')
    ready = _ready(store, namespace, name)
    if not ready:
        raise Unreachable(f'no endpoints available for service "{name}"')
    endpoint, slice_ports = random.choice(ready)
    return _of_pod(store, namespace, endpoint, found) or _of_slice(
        name, endpoint, slice_ports, found
    )


def _ready(store: Store, namespace: str, name: str) -> list[tuple[Object, list[Object]]]:
    """Ready endpoints, each with the ports of its slice."""
    slices = store.list(refs.ENDPOINTSLICES.qualified, namespace)
    return [
        (endpoint, found.get("ports") or [])
        for found in slices
        if objects.labels(found).get(_SERVICE_LABEL) == name
        for endpoint in found.get("endpoints") or ()
        if objects.dig(endpoint, "conditions.ready", True) and endpoint.get("addresses")
    ]


def _of_pod(store: Store, namespace: str, endpoint: Object, port: Object) -> tuple[str, int] | None:
    """Through the pod's own address annotation, where there is a pod."""
    target = endpoint.get("targetRef") or {}
    if target.get("kind") != "Pod":
        return None
    pod = store.get(refs.PODS.qualified, namespace, target["name"])
    number = _container_port(pod, port) if pod else None
    if pod is None or number is None:
        return None
    try:
        return addresses.pod_endpoint(pod, number)
    except LookupError:
        return None


def _container_port(pod: Object, port: Object) -> int | None:
    wanted = port.get("targetPort") or port["port"]
    if isinstance(wanted, int):
        return wanted
    declared = [
        found
        for container in pod["spec"]["containers"]
        for found in container.get("ports") or ()
        if found.get("name") == wanted
    ]
    return int(declared[0]["containerPort"]) if declared else None


def _of_slice(name: str, endpoint: Object, ports: list[Object], port: Object) -> tuple[str, int]:
    for found in ports:
        if found.get("name", "") == port.get("name", "") and found.get("port"):
            return endpoint["addresses"][0], int(found["port"])
    raise Unreachable(f'no endpoints available for service "{name}"')
