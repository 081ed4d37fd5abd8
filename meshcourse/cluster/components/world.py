"""The outside world, where there may be no internet: a server without a sidecar that the mesh does not know.

``http://api.world`` and ``https://api.world`` answer as httpbin does. The certificate of the second is signed by an
authority of the world's own, whose root is public: ConfigMap ``ca``, key ``ca.crt``, in the namespace ``world``.
"""

from __future__ import annotations

from collections.abc import Callable

from meshcourse import paths
from meshcourse.cluster import kinds, waiting
from meshcourse.cluster.authority import Authority
from meshcourse.cluster.cluster import Cluster
from meshcourse.cluster.manifests import Object
from meshcourse.cluster.progress import Progress

NAMESPACE, HOST = "world", "api.world"
SECRET, ROOT = "api-tls", "ca"


def start(cluster: Cluster, progress: Progress) -> Callable[[], None]:
    """Certificate, server, Service."""
    with progress.stage("the world outside applied"):
        cluster.apply([_object("v1", "Namespace", NAMESPACE)]).raise_on_error()
        if not cluster.exists("secret", SECRET, NAMESPACE):
            cluster.apply(_certificate(), NAMESPACE).raise_on_error()
        folder = paths.home() / "labs" / "apps" / "world"
        cluster.apply(folder, NAMESPACE).raise_on_error()

    def finish() -> None:
        ready = waiting.workloads(cluster.api, NAMESPACE)
        waiting.until(
            "the world outside ready",
            ready,
            progress,
            pace=waiting.Pace(timeout=cluster.capabilities.patience),
            explain=lambda: waiting.why(cluster.api, NAMESPACE),
        )

    return finish


def remove(cluster: Cluster, progress: Progress) -> None:
    """Its namespace, and with it everything."""
    if not cluster.exists("namespace", NAMESPACE):
        return
    with progress.stage("the world outside removed"):
        cluster.api.request("DELETE", kinds.NAMESPACE.path("", NAMESPACE))
    gone = waiting.gone(cluster.api, kinds.NAMESPACE, "", NAMESPACE)
    waiting.until("nothing of the world outside left", gone, progress)


def _certificate() -> list[Object]:
    authority = Authority("An authority outside the mesh")
    certificate, key = authority.server(HOST)
    secret = _object("v1", "Secret", SECRET) | {"type": "kubernetes.io/tls"}
    secret["stringData"] = {"tls.crt": certificate, "tls.key": key}
    root = _object("v1", "ConfigMap", ROOT) | {"data": {"ca.crt": authority.root}}
    return [secret, root]


def _object(version: str, kind: str, name: str) -> Object:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name}}
