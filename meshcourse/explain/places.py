"""The pods of a request: who sends it, who gets it, and what their Envoys have."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

from meshcourse.cluster import podstate, reach
from meshcourse.cluster.cluster import Cluster
from meshcourse.cluster.errors import ClusterError
from meshcourse.cluster.manifests import Object, dig, name_of, namespace_of
from meshcourse.lab import proxies
from meshcourse.simulate import Config, from_dump

PROXY = "istio-proxy"
_DUMP = "config_dump?include_eds"
_CLUSTERS = "clusters?format=json"
_TRUST_DOMAIN = "cluster.local"


@dataclass(frozen=True)
class Place:
    """A pod."""

    cluster: Cluster
    pod: Object

    @property
    def name(self) -> str:
        return name_of(self.pod)

    @property
    def namespace(self) -> str:
        return namespace_of(self.pod)

    @property
    def ip(self) -> str:
        return str(dig(self.pod, "status.podIP", ""))

    @property
    def meshed(self) -> bool:
        """Whether an Envoy stands in front of it (or it is one)."""
        return any(one["name"] == PROXY for one in podstate.containers(self.pod))

    @property
    def router(self) -> bool:
        """Whether it is a gateway."""
        proxy = (one for one in podstate.containers(self.pod) if one["name"] == PROXY)
        return any("router" in (one.get("args") or ()) for one in proxy)

    @property
    def principal(self) -> str:
        """Its identity (with the usual trust domain)."""
        account = dig(self.pod, "spec.serviceAccountName", "default")
        return f"spiffe://{_TRUST_DOMAIN}/ns/{self.namespace}/sa/{account}"

    @cached_property
    def config(self) -> Config:
        """What its Envoy has now.

        :raises MeshcourseError: if it does not answer.
        """
        ask = proxies.ask(self.cluster, self.name, self.namespace)
        return from_dump(json.loads(ask(_DUMP)), json.loads(ask(_CLUSTERS)))


def source(cluster: Cluster, text: str) -> Place:
    """A pod as a person names it: ``deploy/productpage-v1``, ``pod/x``, an ``app``, each with ``.namespace``.

    :raises ClusterError: if there is no such pod.
    """
    kind, _, name = text.rpartition("/")
    name, _, namespace = name.partition(".")
    where = namespace or cluster.namespace
    if kind.startswith("deploy"):
        labels = dig(cluster.get("deploy", name, where), "spec.selector.matchLabels", {})
    elif kind in ("pod", "pods", "po"):
        return Place(cluster, cluster.get("pods", name, where))
    else:
        labels = {"app": name}
    pods = cluster.objects("pods", where, selector=_selector(labels))
    if found := next((one for one in pods if podstate.is_ready(one)), None):
        return Place(cluster, found)
    if not kind and cluster.exists("pods", name, where):
        return Place(cluster, cluster.get("pods", name, where))
    raise ClusterError(
        f'no ready pod is called "{text}"', remedy="Write deploy/NAME or pod/NAME (.NAMESPACE)."
    )


def by_address(cluster: Cluster, address: str) -> tuple[Place, int] | None:
    """The pod behind ``host:port`` as an Envoy calls it, and the container port meant."""
    host, _, port = address.rpartition(":")
    for pod in cluster.objects("pods", "*"):
        place = Place(cluster, pod)
        number = mapped(pod, host, int(port or 0)) if port.isdigit() else 0
        if number:
            return place, number
    return None


def mapped(pod: Object, host: str, port: int) -> int:
    """The container port behind an address; 0 if it is not the pod's.

    Where several pods share an address, a map of ports is written at the pod (an annotation).
    """
    for key, text in dig(pod, "metadata.annotations", {}).items():
        if not key.endswith("/addresses"):
            continue
        ports: Mapping[str, Any] = json.loads(text).get("ports") or {}
        for number, places in ports.items():
            if host == dig(pod, "status.podIP") and places[0] == port:
                return int(number)
        if ports:
            return 0
    return port if host and host == dig(pod, "status.podIP", "") else 0


def of_service(cluster: Cluster, url: str, namespace: str) -> tuple[Place, int] | None:
    """The pod and port that a caller without a proxy reaches, None if the host is no Service.

    :raises ClusterError: if the Service has no ready pod.
    """
    parts = urlsplit(url)
    name, _, rest = (parts.hostname or "").partition(".")
    where = rest.split(".")[0] or namespace
    if not cluster.exists("services", name, where):
        return None
    port = reach.choose(cluster.get("services", name, where), parts.port or 80)
    _, pod, number = cluster.pick(where, name, port)
    return Place(cluster, cluster.get("pods", pod, where)), number


def edge(cluster: Cluster, name: str, namespace: str, port: int) -> tuple[Place, int]:
    """A gateway's pod, and the port behind the one that clients call.

    :raises ClusterError: if there is none.
    """
    service = cluster.service(name, namespace)
    chosen = reach.choose(service, port)
    where, pod, number = cluster.pick(namespace_of(service), name_of(service), chosen)
    return Place(cluster, cluster.get("pods", pod, where)), number


def _selector(labels: Mapping[str, str]) -> str:
    return ",".join(f"{key}={value}" for key, value in labels.items())
