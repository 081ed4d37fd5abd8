"""What every pod worker shares: the node's services and facts, handed down instead of imported."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from meshcourse.embedded.client.events import Recorder
from meshcourse.embedded.client.protocol import Client
from meshcourse.embedded.kube.objects import Object
from meshcourse.embedded.kubelet.addressing import Allocator
from meshcourse.embedded.kubelet.images import Puller
from meshcourse.embedded.kubelet.layout import Layout
from meshcourse.embedded.kubelet.processes.client import Forker
from meshcourse.embedded.kubelet.usage import Meters


class Objects(Protocol):
    """Cached reads of what pods refer to."""

    def pod(self, namespace: str, name: str) -> Object | None: ...

    def configmap(self, namespace: str, name: str) -> Object | None: ...

    def secret(self, namespace: str, name: str) -> Object | None: ...

    def services(self, namespace: str) -> Iterable[Object]: ...


@dataclass(frozen=True, slots=True)
class NodeContext:
    """The node.

    :param api: host and port of the API server, as pods reach it.
    :param capacity: ``{"cpu": "2", "memory": "8000000Ki"}``.
    :param proxy_environment: the proxy variables of a pod in a namespace.
    """

    cluster: str
    node_name: str
    api: tuple[str, int]
    capacity: Mapping[str, str]
    client: Client
    objects: Objects
    recorder: Recorder
    forker: Forker
    puller: Puller
    layout: Layout
    allocator: Allocator
    proxy_environment: Callable[[str], Mapping[str, str]]
    meters: Meters
