"""The kinds of the Gateway API, which an API server does not bring; those of somebody else are left alone."""

from __future__ import annotations

from collections.abc import Callable

from meshcourse import paths
from meshcourse.cluster import kinds, waiting
from meshcourse.cluster.cluster import Cluster
from meshcourse.cluster.progress import Progress

GROUP = "gateway.networking.k8s.io"
#: Tells ours from those of somebody else, who may need them still.
OURS = "app.kubernetes.io/part-of=meshcourse"
_CRD = kinds.Kind(
    "apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition", False
)


def start(cluster: Cluster, progress: Progress) -> Callable[[], None]:
    """Apply the CRDs unless the kinds are served."""

    def missing() -> list[str]:
        served = {kind.plural for kind in cluster.served(refresh=True).all if kind.group == GROUP}
        wanted = ("gatewayclasses", "gateways", "httproutes")
        return [f"{name} are not served yet" for name in wanted if name not in served]

    if missing():
        file = paths.home() / "labs" / "addons" / "gateway-api.yaml"
        cluster.apply(file).raise_on_error()

    def finish() -> None:
        waiting.until("Gateway API served", missing, progress)

    return finish


def remove(cluster: Cluster, progress: Progress) -> None:
    """Delete the CRDs that are ours, and with them every object of their kinds."""
    found = cluster.api.get(_CRD.path(), labelSelector=OURS)["items"]
    names = [crd["metadata"]["name"] for crd in found if crd["spec"]["group"] == GROUP]
    for name in names:
        cluster.api.request("DELETE", _CRD.path("", name))
    if names:
        gone = waiting.gone(cluster.api, _CRD, "", selector=OURS)
        waiting.until("Gateway API removed", gone, progress)
        cluster.served(refresh=True)
