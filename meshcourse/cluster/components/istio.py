"""Istio with the demo profile: istiod, an ingress and an egress gateway. Installed by istioctl, as in reality."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from meshcourse.cluster import kinds, tools, waiting
from meshcourse.cluster.cluster import Cluster
from meshcourse.cluster.errors import ApiError, ClusterError
from meshcourse.cluster.manifests import dig
from meshcourse.cluster.progress import Progress

NAMESPACE = "istio-system"
GATEWAY = "istio-ingressgateway"
DEPLOYMENTS = ("istiod", GATEWAY, "istio-egressgateway")
INSTALL = ("install", "--set", "profile=demo", "-y")
UNINSTALL = ("uninstall", "--purge", "-y")
_WEBHOOK = (
    "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/istio-sidecar-injector"
)


def start(cluster: Cluster, progress: Progress) -> Callable[[], None]:
    """Install unless it is there; returns when pods can be injected."""
    missing = _missing(cluster, DEPLOYMENTS)
    if not missing():
        return lambda: None
    cluster.provider.consent("installing Istio (namespace istio-system and cluster-wide kinds)")
    install = _Install(cluster, progress)
    waiting.until(
        "istiod ready to inject",
        lambda: install.failed() or [*_missing(cluster, DEPLOYMENTS[:1])(), *_webhook(cluster)],
        progress,
        pace=waiting.Pace(timeout=cluster.capabilities.patience),
        explain=lambda: waiting.why(cluster.api, NAMESPACE),
    )

    def finish() -> None:
        waiting.until(
            "Istio ready",
            lambda: install.under_way() or missing(),
            progress,
            pace=waiting.Pace(timeout=cluster.capabilities.patience),
            explain=lambda: waiting.why(cluster.api, NAMESPACE),
        )
        install.join()

    return finish


def remove(cluster: Cluster, progress: Progress) -> None:
    """Uninstall with its CRDs, and delete its namespace."""
    if not cluster.exists("namespace", NAMESPACE):
        return
    with progress.stage("Istio uninstalled"):
        cluster.istioctl(*UNINSTALL, on_line=progress.note).check()
        cluster.api.request("DELETE", kinds.NAMESPACE.path("", NAMESPACE))
    gone = waiting.gone(cluster.api, kinds.NAMESPACE, "", NAMESPACE)
    waiting.until(f"namespace {NAMESPACE} gone", gone, progress)
    cluster.served(refresh=True)


class _Install:
    """istioctl install in the background, so that others begin as soon as istiod answers."""

    def __init__(self, cluster: Cluster, progress: Progress) -> None:
        self._done: tools.Done | None = None
        self._error: BaseException | None = None
        self._cluster, self._progress = cluster, progress
        self._thread = threading.Thread(target=self._run, name="istioctl-install")
        self._thread.start()

    def _run(self) -> None:
        try:
            self._done = self._cluster.istioctl(*INSTALL, on_line=self._progress.note)
        except BaseException as error:
            self._error = error

    def failed(self) -> list[str]:
        """Raises what went wrong, as soon as it has; nothing otherwise."""
        if self._error is not None:
            raise self._error
        if self._done is not None and self._done.code:
            raise _trouble(self._done)
        return []

    def under_way(self) -> list[str]:
        """What istioctl is still busy with."""
        return self.failed() or (["istioctl is at work"] if self._thread.is_alive() else [])

    def join(self) -> None:
        self._thread.join()
        self.failed()


def _trouble(done: tools.Done) -> ClusterError:
    """What went wrong with an installation; a webhook that does not answer is told from the rest."""
    lines = [line.strip() for line in done.output.splitlines() if "failed calling webhook" in line]
    if not lines:
        return tools.ToolError("istioctl install", done.code, done.output)
    return ClusterError(
        f"the API server could not call a webhook of Istio: {lines[-1]}",
        remedy="istiod is too slow or not reached from the API server (memory, a firewall between them): "
        "`kubectl get pods -n istio-system`, then once more; what is there already is left alone.",
    )


def _missing(cluster: Cluster, deployments: Sequence[str]) -> waiting.Condition:
    def missing() -> list[str]:
        path = kinds.DEPLOYMENT.path(NAMESPACE)
        found = {item["metadata"]["name"]: item for item in cluster.api.get(path)["items"]}
        absent = [f"{name} is not there yet" for name in deployments if name not in found]
        late = [waiting.rollout(found[name]) for name in deployments if name in found]
        return absent + [line for line in late if line]

    return missing


def _webhook(cluster: Cluster) -> list[str]:
    """The injection webhook must carry istiod's CA before the API server can call it."""
    try:
        hooks = cluster.api.get(_WEBHOOK).get("webhooks", [])
    except ApiError as error:
        if error.code != 404:
            raise
        return ["the injection webhook is not there yet"]
    if hooks and all(dig(hook, "clientConfig.caBundle") for hook in hooks):
        return []
    return ["the injection webhook has no CA yet"]
