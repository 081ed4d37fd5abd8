"""What every cluster has from its first moment: four namespaces, the Service ``kubernetes``, the bootstrap roles."""

from __future__ import annotations

from urllib.parse import urlsplit

from meshcourse.embedded.apiserver.core import Core
from meshcourse.embedded.apiserver.local import LocalClient
from meshcourse.embedded.kube import refs
from meshcourse.embedded.kube.objects import Object

_NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")


async def objects_of_every_cluster(core: Core, client: LocalClient, url: str) -> None:
    """Create what is missing."""
    for name in _NAMESPACES:
        if core.store.get("namespaces", "", name) is None:
            await client.create(refs.NAMESPACES, _object(refs.NAMESPACES, name))
    port = urlsplit(url).port or 443
    if core.store.get("services", "default", "kubernetes") is None:
        await client.create(refs.SERVICES, _service(core.services.api_server_ip, port), "default")


def _object(resource: refs.Resource, name: str) -> Object:
    return {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": {"name": name},
    }


def _service(address: str, port: int) -> Object:
    labels = {"component": "apiserver", "provider": "kubernetes"}
    ports = [{"name": "https", "port": 443, "protocol": "TCP", "targetPort": port}]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "kubernetes", "namespace": "default", "labels": labels},
        "spec": {"clusterIP": address, "ports": ports, "type": "ClusterIP"},
    }
