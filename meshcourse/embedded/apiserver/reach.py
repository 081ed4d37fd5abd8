"""Where Services and pods can be reached from the API server's own process (webhooks, the ``proxy`` subresource)."""

from __future__ import annotations

import random

from meshcourse.embedded.apiserver.store.store import Store
from meshcourse.embedded.kube import addresses, objects, refs
from meshcourse.embedded.kube.objects import Object

_SERVICE_LABEL = "kubernetes.io/service-name"
Endpoint = tuple[str, int]


class Unreachable(Exception):
    """There is nobody to call."""


def service(store: Store, namespace: str, name: str, port: str) -> Endpoint:
    """A ready endpoint behind a Service's port, which is given by number or name ("" if it has only one).

    :raises Unreachable: if the Service, its port or a ready endpoint is missing.
    """
    found = store.get(refs.SERVICES.qualified, namespace, name)
    if found is None:
        raise Unreachable(f'service "{name}" not found')
    ports = found["spec"].get("ports") or []
    chosen = [p for p in ports if port in (str(p["port"]), p.get("name", "")) or not port]
    if not chosen:
        raise Unreachable(f'no service port {port} found for service "{name}"')
    ready = _ready(store, namespace, name)
    if not ready:
        raise Unreachable(f'no endpoints available for service "{name}"')
    endpoint, slice_ports = random.choice(ready)
    return _of_pod(store, namespace, endpoint, chosen[0]) or _of_slice(
        name, endpoint, slice_ports, chosen[0]
    )


def pod(found: Object, port: str) -> Endpoint:
    """A pod's port, given by number or name ("": the first that it declares).

    :raises Unreachable: before the pod has an address, or without such a port.
    """
    number = int(port) if port.isdigit() else _named_port(found, port)
    if number is None:
        raise Unreachable(f'pod "{objects.name(found)}" has no port {port}'.rstrip())
    try:
        return addresses.pod_endpoint(found, number)
    except LookupError:
        raise Unreachable("address not allowed") from None


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


def _of_pod(store: Store, namespace: str, endpoint: Object, port: Object) -> Endpoint | None:
    """Through the pod's own address annotation, where there is a pod."""
    target = endpoint.get("targetRef") or {}
    if target.get("kind") != "Pod":
        return None
    found = store.get(refs.PODS.qualified, namespace, target["name"])
    if found is None:
        return None
    try:
        return pod(found, str(port.get("targetPort") or port["port"]))
    except Unreachable:
        return None


def _named_port(found: Object, name: str) -> int | None:
    for container in found["spec"]["containers"]:
        for port in container.get("ports") or ():
            if not name or port.get("name") == name:
                return int(port["containerPort"])
    return None


def _of_slice(name: str, endpoint: Object, ports: list[Object], port: Object) -> Endpoint:
    for found in ports:
        if found.get("name", "") == port.get("name", "") and found.get("port"):
            return endpoint["addresses"][0], int(found["port"])
    raise Unreachable(f'no endpoints available for service "{name}"')
