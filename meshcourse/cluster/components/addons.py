"""The add-ons, each from its manifest under ``labs/addons``: Prometheus, Grafana, Jaeger, Kiali, Fluent Bit."""

from __future__ import annotations

from collections.abc import Callable

from meshcourse import paths
from meshcourse.cluster import waiting
from meshcourse.cluster.cluster import Cluster
from meshcourse.cluster.progress import Progress

NAMESPACE = "istio-system"
#: Component → its Deployment.
DEPLOYMENTS = {
    "prometheus": "prometheus",
    "grafana": "grafana",
    "jaeger": "jaeger",
    "kiali": "kiali",
    "fluent-bit": "fluent-bit",
}


def starter(name: str) -> Callable[[Cluster, Progress], Callable[[], None]]:
    """How to bring in one add-on."""

    def start(cluster: Cluster, progress: Progress) -> Callable[[], None]:
        if not cluster.exists("deployment", DEPLOYMENTS[name], NAMESPACE):
            cluster.provider.consent(f"installing {name} in {NAMESPACE}")
        cluster.apply(paths.home() / "labs" / "addons" / f"{name}.yaml", NAMESPACE).raise_on_error()

        def finish() -> None:
            deployment = cluster.kind("deployment")
            ready = waiting.named(cluster.api, deployment, NAMESPACE, DEPLOYMENTS[name])
            waiting.until(
                f"{name} ready",
                ready,
                progress,
                pace=waiting.Pace(timeout=cluster.capabilities.patience),
                explain=lambda: waiting.why(cluster.api, NAMESPACE),
            )

        return finish

    return start


def remover(name: str) -> Callable[[Cluster, Progress], None]:
    """How to take one add-on away."""

    def remove(cluster: Cluster, progress: Progress) -> None:
        if not cluster.exists("deployment", DEPLOYMENTS[name], NAMESPACE):
            return
        with progress.stage(f"{name} removed"):
            cluster.delete(
                paths.home() / "labs" / "addons" / f"{name}.yaml", NAMESPACE
            ).raise_on_error()

    return remove
