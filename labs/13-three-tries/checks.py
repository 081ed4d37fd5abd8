"""Tries are counted where they arrive, by httpbin's own Envoy; time is taken at the gateway."""

from __future__ import annotations

from meshcourse.lab import Cluster, Finding, check, counters, traffic

N = 10
SITE = "httpbin.example.com"


def arrived(cluster: Cluster) -> int:
    return counters(cluster, "deploy/httpbin", "istio_requests_total").total


def tries(cluster: Cluster, path: str, wanted: int) -> Finding:
    """Send `N` requests and count how often each was tried."""
    before = arrived(cluster)
    result = traffic(cluster, path, n=N, rate=0, concurrency=2, host=SITE, classified=None)
    found = arrived(cluster) - before
    return Finding(
        found == wanted * N,
        f"{N} requests, {found} arrived; answers: {result.statuses}",
        f"{wanted * N}: each of them {wanted} ×",
        '`mesh.routes("deploy/istio-ingressgateway", "httpbin.example.com", "istio-system")`',
    )


@check(f"Send {N} requests to /status/503 and count what arrives", converges=5)
def failing(cluster: Cluster) -> Finding:
    return tries(cluster, "/status/503", 3)


@check(f"Send {N} requests to /status/404 and count what arrives")
def missing(cluster: Cluster) -> Finding:
    return tries(cluster, "/status/404", 1)


@check("Send 4 requests to /delay/5 and take the time")
def slow(cluster: Cluster) -> Finding:
    result = traffic(cluster, "/delay/5", n=4, rate=0, concurrency=4, host=SITE, classified=None)
    median = result.latency(0.5)
    return Finding(
        result.statuses == {504: 4} and 0.9 < median < 2.5,
        f"answers: {result.statuses}, after {median:.1f} s",
        "504 after about 1 s",
        "`%kubectl explain virtualservice.spec.http.timeout`",
    )
