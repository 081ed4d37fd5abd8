"""The data plane goes on without the control plane."""

from __future__ import annotations

from meshcourse.lab import Cluster, Finding, check, traffic

N = 200


@check("Count the pods of istiod", converges=5)
def gone(cluster: Cluster) -> Finding:
    pods = cluster.objects("pods", "istio-system", selector="app=istiod")
    return Finding(
        not pods,
        f"{len(pods)} running" if pods else "none",
        "none",
        "`%kubectl get deployment istiod -n istio-system`: how many does it want?",
    )


@check("Look whether istiod can come back")
def kept(cluster: Cluster) -> Finding:
    found = cluster.exists("deployment", "istiod", "istio-system")
    return Finding(
        found,
        "its Deployment is there" if found else "its Deployment is gone",
        "a Deployment that wants no pods",
        "`%istioctl install --set profile=demo -y` makes a new one",
    )


@check(f"Send {N} requests to /productpage through the ingress gateway")
def answered(cluster: Cluster) -> Finding:
    result = traffic(cluster, "/productpage", n=N, rate=100)
    return Finding(
        result.failed == 0,
        f"{N - result.failed} answered, {result.failed} failed {result.errors or ''}".strip(),
        f"all {N} answered: every Envoy still has what istiod told it last",
        "`%kubectl get pods`: do Bookinfo and the ingress gateway run?",
    )
