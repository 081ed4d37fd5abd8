"""The shop answers, with the page of Bookinfo."""

from __future__ import annotations

from meshcourse.lab import Cluster, Finding, check, traffic

N = 20


@check(f"Send {N} requests to http://shop.example.com/shop", converges=5)
def answered(cluster: Cluster) -> Finding:
    result = traffic(cluster, "/shop", n=N, rate=50, host="shop.example.com")
    shown = sum(result.versions.values())
    return Finding(
        result.statuses == {200: N} and shown == N,
        f"answers: {result.statuses}, {shown} pages with reviews",
        f"{N} pages",
        '`mesh.access_log("istio-ingressgateway", containing="/shop")`: which flag?',
    )


@check(f"Send {N} requests to /shop of another host, where there is no shop")
def only_there(cluster: Cluster) -> Finding:
    result = traffic(cluster, "/shop", n=N, rate=50, host="other.example.com")
    return Finding(
        result.statuses == {404: N},
        f"answers: {result.statuses}",
        f"404 for all {N}",
        "`%kubectl get virtualservice shop -o yaml`: which hosts?",
    )
