"""The same pod with and without a sidecar; both can speak to the mesh."""

from __future__ import annotations

from meshcourse.lab import Cluster, Finding, check, kubectl

DETAILS = "http://details.default:9080/details/0"


def containers(cluster: Cluster, namespace: str) -> list[str]:
    """The containers of the curl pod, native sidecars included."""
    pods = cluster.objects("pods", namespace, selector="app=curl")
    alive = [pod for pod in pods if not pod["metadata"].get("deletionTimestamp")]
    if not alive:
        return []
    spec = alive[-1]["spec"]
    return [item["name"] for item in spec.get("initContainers", []) + spec["containers"]]


@check("Look into the pod of curl in the namespace inside", converges=5)
def inside(cluster: Cluster) -> Finding:
    found = containers(cluster, "inside")
    return Finding(
        "curl" in found and "istio-proxy" in found,
        f"containers: {', '.join(found) or 'no pod'}",
        "curl and istio-proxy",
        "`%kubectl get namespace inside --show-labels`; was the label there before the pod?",
    )


@check("Look into the pod of curl in the namespace outside", converges=5)
def outside(cluster: Cluster) -> Finding:
    found = containers(cluster, "outside")
    return Finding(
        found == ["curl"],
        f"containers: {', '.join(found) or 'no pod'}",
        "curl alone",
        "`%kubectl get namespace outside --show-labels`",
    )


def answer(cluster: Cluster, namespace: str) -> Finding:
    """Ask details from within the pod."""
    asked = ("curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", DETAILS)
    done = kubectl(cluster, ["exec", "-n", namespace, "deploy/curl", "-c", "curl", "--", *asked])
    return Finding(
        done.code == 0 and "200" in done.output,
        done.output.strip() or f"exit code {done.code}",
        "200",
        "`%kubectl get pods`: does details run?",
    )


@check("Let the pod inside ask details for a book", converges=5)
def inside_asks(cluster: Cluster) -> Finding:
    return answer(cluster, "inside")


@check("Let the pod outside ask details for a book", converges=5)
def outside_asks(cluster: Cluster) -> Finding:
    return answer(cluster, "outside")
