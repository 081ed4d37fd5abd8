"""One pod outside, all others inside, and the shop does not mind."""

from __future__ import annotations

from typing import Any

from meshcourse.lab import Cluster, Finding, check, traffic

NAMESPACE, HOST, OUTSIDE = "boutique", "boutique.example.com", "redis-cart"
N = 50


def proxied(pod: dict[str, Any]) -> bool:
    """Whether a pod has a sidecar, native ones included."""
    spec = pod["spec"]
    names = [item["name"] for item in spec.get("initContainers", []) + spec["containers"]]
    return "istio-proxy" in names


def pods(cluster: Cluster) -> dict[str, bool]:
    """Ready application → whether its pods have sidecars; those on their way out do not count."""
    found = {}
    for pod in cluster.objects("pods", NAMESPACE):
        ready = [each for each in pod["status"].get("conditions", []) if each["type"] == "Ready"]
        if not pod["metadata"].get("deletionTimestamp") and ready and ready[0]["status"] == "True":
            found[pod["metadata"]["labels"].get("app", "?")] = proxied(pod)
    return found


@check(f"Look for a sidecar in the pod of {OUTSIDE}", converges=15)
def outside(cluster: Cluster) -> Finding:
    found = cluster.objects("pods", NAMESPACE, selector=f"app={OUTSIDE}")
    return Finding(
        len(found) == 1 and not proxied(found[0]) and pods(cluster).get(OUTSIDE) is False,
        f"{len(found)} pods, {sum(map(proxied, found))} of them with a sidecar",
        "one pod, without",
        f"`%kubectl get pods -n {NAMESPACE} -l app={OUTSIDE} --show-labels`",
    )


@check("Look for the sidecars of all others, and for the label of the namespace", converges=30)
def others(cluster: Cluster) -> Finding:
    found = {name: inside for name, inside in pods(cluster).items() if name != OUTSIDE}
    bare = sorted(name for name, inside in found.items() if not inside)
    labels = cluster.get("namespace", NAMESPACE)["metadata"].get("labels") or {}
    label = labels.get("istio-injection", "no label")
    return Finding(
        len(found) >= 10 and not bare and label == "enabled",
        f"{len(found)} applications, without sidecar: {', '.join(bare) or 'none'}; istio-injection: {label}",
        "at least 10, all with sidecars, in a namespace labelled istio-injection=enabled",
        f"`%kubectl get pods -n {NAMESPACE}` and `%kubectl get namespace {NAMESPACE} --show-labels`",
    )


@check(f"Open {N} baskets through the gateway; each is read from redis", converges=20)
def baskets(cluster: Cluster) -> Finding:
    result = traffic(cluster, "/cart", host=HOST, n=N, rate=25, classified=None)
    return Finding(
        result.statuses == {200: N},
        f"{result.statuses} {result.errors or ''}".strip(),
        f"all {N} answered with 200",
        f"`%kubectl logs deploy/cartservice -n {NAMESPACE} -c istio-proxy --tail=5`",
    )
