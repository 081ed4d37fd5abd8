"""Who is in the mesh: the pods of a namespace, their proxies, the gateways and the control plane."""

from __future__ import annotations

from dataclasses import dataclass

from meshcourse.cluster import podstate
from meshcourse.cluster.cluster import Cluster
from meshcourse.cluster.manifests import Object, dig, name_of

CONTROL_PLANE = "istio-system"
PROXY = "istio-proxy"


@dataclass(frozen=True, slots=True)
class Member:
    """One pod.

    :param app: its ``app`` label (or its name), and its ``version`` label, "" if none.
    :param proxy: it has an Envoy: a sidecar, or it is a gateway and nothing else.
    :param containers: the containers beside the proxy.
    """

    name: str
    namespace: str
    app: str
    version: str
    proxy: bool
    ready: bool
    status: str
    containers: tuple[str, ...]

    @property
    def gateway(self) -> bool:
        """An Envoy without an application beside it."""
        return self.proxy and not self.containers


@dataclass(frozen=True, slots=True)
class Inventory:
    """The members of one namespace and of the control plane's."""

    namespace: str
    injected: bool
    pods: tuple[Member, ...]
    gateways: tuple[Member, ...]
    control_plane: tuple[Member, ...]

    @property
    def proxies(self) -> int:
        """How many Envoys there are."""
        return sum(member.proxy for member in (*self.pods, *self.gateways))


def take(cluster: Cluster, namespace: str) -> Inventory:
    """Ask the Kubernetes API who is there now."""
    pods = [_member(pod) for pod in cluster.objects("pods", namespace)]
    system = [_member(pod) for pod in cluster.objects("pods", CONTROL_PLANE)]
    labels = dig(cluster.get("namespace", namespace), "metadata.labels", {})
    return Inventory(
        namespace,
        labels.get("istio-injection") == "enabled" or "istio.io/rev" in labels,
        tuple(sorted(pods, key=lambda member: (member.app, member.version, member.name))),
        tuple(member for member in system if member.gateway),
        tuple(member for member in system if member.app == "istiod"),
    )


def _member(pod: Object) -> Member:
    names = [item["name"] for item in podstate.containers(pod)]
    labels = dig(pod, "metadata.labels", {})
    return Member(
        name=name_of(pod),
        namespace=dig(pod, "metadata.namespace", ""),
        app=labels.get("app") or labels.get("app.kubernetes.io/name") or name_of(pod),
        version=labels.get("version", ""),
        proxy=PROXY in names,
        ready=podstate.is_ready(pod),
        status=podstate.status(pod),
        containers=tuple(name for name in names if name != PROXY),
    )
