"""An application with sidecars, published by the ingress gateway: what Bookinfo and Online Boutique have in common."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from meshcourse import paths
from meshcourse.cluster import kinds, manifests, podstate, waiting
from meshcourse.cluster.cluster import Cluster
from meshcourse.cluster.components import istio
from meshcourse.cluster.errors import ApiError
from meshcourse.cluster.manifests import Object, dig, name_of
from meshcourse.cluster.progress import Progress

LABEL = "istio-injection"


@dataclass(frozen=True, slots=True)
class Application:
    """One application.

    :param folder: where its manifests are, below ``labs``.
    :param files: the application, and what publishes it at the gateway.
    :param selector: labels of its pods and Deployments, "" for everything in a namespace of its own.
    :param page: the path that a visitor opens first.
    :param host: the ``Host`` under which the gateway knows it, "" for every one.
    :param namespace: one of its own, which comes and goes with it; "" for the one that is meant when none is said.
    """

    title: str
    folder: str
    files: tuple[str, ...]
    selector: str = ""
    page: str = "/"
    host: str = ""
    namespace: str = ""

    def start(self, cluster: Cluster, progress: Progress) -> Callable[[], None]:
        """Ask for sidecars, apply, and give sidecars to pods that have none yet."""
        namespace = self.namespace or cluster.namespace
        with progress.stage(f"{self.title} applied"):
            if self.namespace:
                cluster.apply([_namespace(namespace)]).raise_on_error()
            label(cluster, namespace, "enabled")
            for file in self.files:
                cluster.apply(self._path(file), namespace).raise_on_error()
            for deployment in self._bare(cluster, namespace):
                cluster.restart(deployment, namespace)

        def finish() -> None:
            ready = waiting.workloads(cluster.api, namespace, self.selector)
            pace = waiting.Pace(timeout=cluster.capabilities.patience)
            waiting.until(
                f"{self.title} ready",
                ready,
                progress,
                pace=pace,
                explain=lambda: waiting.why(cluster.api, namespace, self.selector),
            )
            title = f"first page of {self.title}"
            waiting.until(title, lambda: self._unanswered(cluster), progress)

        return finish

    def remove(self, cluster: Cluster, progress: Progress) -> None:
        """Delete its namespace; or what it is made of, and the label of the namespace it shares."""
        with progress.stage(f"{self.title} removed"):
            if self.namespace:
                _delete_namespace(cluster, self.namespace)
            else:
                self._delete(cluster)
        if self.namespace:
            gone = waiting.gone(cluster.api, kinds.NAMESPACE, "", self.namespace)
        else:
            gone = waiting.gone(cluster.api, kinds.POD, cluster.namespace, selector=self.selector)
        waiting.until(f"nothing of {self.title} left", gone, progress)

    def _delete(self, cluster: Cluster) -> None:
        for file in reversed(self.files):
            cluster.delete(_served(cluster, self._path(file)), cluster.namespace).raise_on_error()
        label(cluster, cluster.namespace, None)

    def _path(self, file: str) -> Path:
        return paths.home() / "labs" / self.folder / file

    def _bare(self, cluster: Cluster, namespace: str) -> list[str]:
        """Deployments with a pod that was created before the namespace asked for sidecars."""
        found = set()
        for pod in cluster.objects("pods", namespace, selector=self.selector):
            names = [item["name"] for item in podstate.containers(pod)]
            if "istio-proxy" not in names and not dig(pod, "metadata.deletionTimestamp"):
                found.add(_deployment_of(pod))
        there = cluster.objects("deployments", namespace, selector=self.selector)
        return sorted(found & {name_of(item) for item in there})

    def _unanswered(self, cluster: Cluster) -> list[str]:
        """Ask the gateway for the page a learner would open."""
        url = cluster.url(istio.GATEWAY, "http2", self.page, namespace=istio.NAMESPACE)
        request = urllib.request.Request(url, headers={"Host": self.host} if self.host else {})
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=5) as response:
                return [] if response.status == 200 else [f"{url} answers {response.status}"]
        except urllib.error.HTTPError as error:
            error.close()
            return [f"{url} answers {error.code}"]
        except OSError as error:
            return [f"{url}: {getattr(error, 'reason', error)}"]


def label(cluster: Cluster, namespace: str, value: str | None) -> None:
    """Set or remove (None) the label that asks for sidecars."""
    cluster.patch("namespace", namespace, {"metadata": {"labels": {LABEL: value}}})


def _namespace(name: str) -> Object:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def _delete_namespace(cluster: Cluster, name: str) -> None:
    try:
        cluster.api.request("DELETE", kinds.NAMESPACE.path("", name))
    except ApiError as error:
        if error.code != 404:
            raise


def _served(cluster: Cluster, path: Path) -> list[Object]:
    """The objects of a file whose kinds exist: without Istio there is no Gateway to delete."""
    known = {(kind.api_version, kind.kind) for kind in cluster.served(refresh=True).all}
    objects = manifests.read(path)
    return [obj for obj in objects if (obj["apiVersion"], obj["kind"]) in known]


def _deployment_of(pod: Object) -> str:
    hash_label = dig(pod, "metadata.labels", {}).get("pod-template-hash", "")
    return (
        str(dig(pod, "metadata.generateName", "")).removesuffix("-").removesuffix(f"-{hash_label}")
    )
