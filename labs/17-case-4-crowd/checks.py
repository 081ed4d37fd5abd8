"""A crowd gets its pages."""

from __future__ import annotations

from meshcourse.lab import Cluster, Finding, check, traffic

N, AT_ONCE = 200, 20


@check(f"Send {N} requests, {AT_ONCE} at once", converges=5)
def crowd(cluster: Cluster) -> Finding:
    result = traffic(cluster, "/productpage", n=N, rate=0, concurrency=AT_ONCE)
    return Finding(
        result.failed == 0,
        f"{N - result.failed} answered, {result.failed} failed {result.errors or ''}".strip(),
        f"all {N} answered",
        '`mesh.access_log("istio-ingressgateway", last=60)`: which flag?',
    )
