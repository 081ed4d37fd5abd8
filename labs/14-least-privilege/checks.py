"""Bookinfo works, and somebody with a certificate of his own gets nothing of it."""

from __future__ import annotations

from meshcourse.lab import Cluster, Finding, ask, check, traffic

SERVICES = {
    "productpage": "productpage:9080/productpage",
    "details": "details:9080/details/0",
    "reviews": "reviews:9080/reviews/0",
    "ratings": "ratings:9080/ratings/0",
}
VERSIONS = {"v1", "v2", "v3"}
N = 120
EACH = 10


@check("Wait until the policies have reached the proxies: 20 whole pages in a row", converges=4)
def arrived(cluster: Cluster) -> Finding:
    result = traffic(cluster, "/productpage", n=20, rate=50)
    return Finding(
        result.failed == 0 and set(result.versions) <= VERSIONS,
        f"{result.versions or result.errors}",
        "pages of v1, v2 and v3, and nothing unavailable on them",
        "`%kubectl get authorizationpolicies`: which call on the way is not allowed yet?",
    )


@check(f"Send {N} requests to /productpage and look at the stars")
def stars(cluster: Cluster) -> Finding:
    result = traffic(cluster, "/productpage", n=N, rate=60)
    return Finding(
        result.failed == 0 and set(result.versions) == VERSIONS,
        f"{result.versions}, {result.failed} failed",
        "v1, v2 and v3, none failed",
        "reviews asks ratings: is that allowed, to the right account?",
    )


@check(f"Send {N} requests to /productpage and look for the book's details")
def details(cluster: Cluster) -> Finding:
    result = traffic(cluster, "/productpage", n=N, rate=60, classified="ISBN-13")
    return Finding(
        result.versions == {"ISBN-13": N},
        f"on {result.versions.get('ISBN-13', 0)} of {N} pages",
        f"on all {N}",
        "productpage asks details for them: is that allowed?",
    )


@check(f"Let the pod curl ask each of the four services {EACH} times")
def intruder(cluster: Cluster) -> Finding:
    found = {
        name: ask(cluster, "curl", f"http://{url}", n=EACH).statuses
        for name, url in SERVICES.items()
    }
    return Finding(
        all(statuses == {403: EACH} for statuses in found.values()),
        ", ".join(f"{name}: {statuses}" for name, statuses in found.items()),
        f"403, {EACH} times, from each of the four",
        "`%kubectl get authorizationpolicies -o yaml`: is `nothing` still there, and is each `from` narrow?",
    )


@check(f"Let visitors POST to /productpage {EACH} times")
def only_reading(cluster: Cluster) -> Finding:
    result = traffic(cluster, "/productpage", n=EACH, rate=20, method="POST")
    return Finding(
        result.statuses == {403: EACH},
        f"{result.statuses}",
        "403: the gateway may GET, and nothing else",
        "`methods` in the policy of productpage",
    )
