"""Bookinfo in the default namespace, with sidecars, published by the ingress gateway."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from meshcourse import paths
from meshcourse.cluster import kinds, manifests, podstate, waiting
from meshcourse.cluster.cluster import Cluster
from meshcourse.cluster.components import istio
from meshcourse.cluster.manifests import Object, dig, name_of
from meshcourse.cluster.progress import Progress

FOLDER = "apps/bookinfo"
#: The application, and what publishes it at the gateway.
FILES = ("bookinfo.yaml", "bookinfo-gateway.yaml")
APPS = "app in (productpage,details,reviews,ratings)"
LABEL = "istio-injection"


def start(cluster: Cluster, progress: Progress) -> Callable[[], None]:
    """Label the namespace, apply, and give sidecars to pods that have none yet."""
    namespace = cluster.namespace
    with progress.stage("Bookinfo applied"):
        label(cluster, "enabled")
        for file in FILES:
            cluster.apply(paths.home() / "labs" / FOLDER / file, namespace).raise_on_error()
        for deployment in _bare(cluster):
            cluster.restart(deployment)

    def finish() -> None:
        ready = waiting.workloads(cluster.api, namespace, APPS)
        waiting.until("Bookinfo ready", ready, progress)
        waiting.until("first page through the gateway", lambda: _unanswered(cluster), progress)

    return finish


def remove(cluster: Cluster, progress: Progress) -> None:
    """Delete the application and its gateway, and take the label off the namespace."""
    with progress.stage("Bookinfo removed"):
        for file in reversed(FILES):
            objects = _served(cluster, paths.home() / "labs" / FOLDER / file)
            cluster.delete(objects, cluster.namespace).raise_on_error()
        label(cluster, None)
    gone = waiting.gone(cluster.api, kinds.POD, cluster.namespace, selector=APPS)
    waiting.until("its pods gone", gone, progress)


def label(cluster: Cluster, value: str | None) -> None:
    """Set or remove (None) the label that asks for sidecars."""
    cluster.patch("namespace", cluster.namespace, {"metadata": {"labels": {LABEL: value}}})


def _served(cluster: Cluster, path: Path) -> list[Object]:
    """The objects of a file whose kinds exist: without Istio there is no Gateway to delete."""
    known = {(kind.api_version, kind.kind) for kind in cluster.served(refresh=True).all}
    objects = manifests.read(path)
    return [obj for obj in objects if (obj["apiVersion"], obj["kind"]) in known]


def _bare(cluster: Cluster) -> list[str]:
    """Deployments with a pod that was created before the namespace asked for sidecars."""
    pods = cluster.objects("pods", selector=APPS)
    found = set()
    for pod in pods:
        names = [item["name"] for item in podstate.containers(pod)]
        if "istio-proxy" not in names and not dig(pod, "metadata.deletionTimestamp"):
            found.add(_deployment_of(pod))
    return sorted(found & {name_of(item) for item in cluster.objects("deployments", selector=APPS)})


def _deployment_of(pod: Object) -> str:
    hash_label = dig(pod, "metadata.labels", {}).get("pod-template-hash", "")
    return (
        str(dig(pod, "metadata.generateName", "")).removesuffix("-").removesuffix(f"-{hash_label}")
    )


def _unanswered(cluster: Cluster) -> list[str]:
    """Ask the gateway for the page a learner would open."""
    url = cluster.url(istio.GATEWAY, "http2", "/productpage", namespace=istio.NAMESPACE)
    try:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(url, timeout=5) as response:
            return [] if response.status == 200 else [f"{url} answers {response.status}"]
    except urllib.error.HTTPError as error:
        error.close()
        return [f"{url} answers {error.code}"]
    except OSError as error:
        return [f"{url}: {getattr(error, 'reason', error)}"]
