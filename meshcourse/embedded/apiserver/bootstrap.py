"""What every cluster has from its first moment: four namespaces, the Service ``kubernetes``, the bootstrap roles."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from meshcourse.embedded.apiserver.auth import roles
from meshcourse.embedded.apiserver.core import Core
from meshcourse.embedded.apiserver.local import LocalClient
from meshcourse.embedded.kube import objects, refs
from meshcourse.embedded.kube.objects import Object

_NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")
_LABELS = {"component": "apiserver", "provider": "kubernetes"}


async def objects_of_every_cluster(core: Core, client: LocalClient, url: str) -> None:
    """Create what is missing, and tell the cluster at which port its API server listens."""
    for obj in _objects(core):
        kind = core.registry.of_kind(obj["apiVersion"], obj["kind"])
        assert kind is not None
        if core.store.get(kind.key, *objects.key(obj)) is None:
            await client.create(kind.resource, obj)
    await _publish(core, client, url)


def _objects(core: Core) -> Iterator[Object]:
    for name in _NAMESPACES:
        yield {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    yield from roles.objects_of_every_cluster()
    yield _service(core.services.api_server_ip)


def _service(address: str) -> Object:
    ports = [{"name": "https", "port": 443, "protocol": "TCP", "targetPort": 6443}]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "kubernetes", "namespace": "default", "labels": dict(_LABELS)},
        "spec": {"clusterIP": address, "ports": ports, "type": "ClusterIP"},
    }


async def _publish(core: Core, client: LocalClient, url: str) -> None:
    """The Service has no selector; its endpoint is this process."""
    parts = urlsplit(url)
    wanted = _slice(parts.hostname or "127.0.0.1", parts.port or 443)
    known = core.store.get(refs.ENDPOINTSLICES.qualified, "default", "kubernetes")
    if known is None:
        await client.create(refs.ENDPOINTSLICES, wanted)
    elif known["endpoints"] != wanted["endpoints"] or known["ports"] != wanted["ports"]:
        await client.update(refs.ENDPOINTSLICES, {**known, **wanted, "metadata": known["metadata"]})


def _slice(host: str, port: int) -> Object:
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": "kubernetes",
            "namespace": "default",
            "labels": {"kubernetes.io/service-name": "kubernetes"},
        },
        "addressType": "IPv4",
        "endpoints": [{"addresses": [host], "conditions": {"ready": True}}],
        "ports": [{"name": "https", "port": port, "protocol": "TCP"}],
    }
