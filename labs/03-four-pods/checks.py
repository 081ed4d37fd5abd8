"""Without rules the mesh divides by pods, not by versions."""

from __future__ import annotations

from meshcourse.lab import Cluster, Finding, check, traffic

WANTED = {"v1": 1, "v2": 2, "v3": 1}
N = 600


@check("Count the ready pods of each version of reviews", converges=5)
def pods(cluster: Cluster) -> Finding:
    found = {
        version: cluster.get("deployment", f"reviews-{version}")
        .get("status", {})
        .get("readyReplicas", 0)
        for version in WANTED
    }
    return Finding(
        found == WANTED,
        ", ".join(f"{version}: {count}" for version, count in found.items()),
        "v1: 1, v2: 2, v3: 1",
        "`%kubectl get deployments -l app=reviews`",
    )


@check(f"Send {N} requests to /productpage, one after the other, and look at the stars")
def shares(cluster: Cluster) -> Finding:
    result = traffic(cluster, "/productpage", n=N, rate=0, concurrency=1)
    verdict = result.consistent_with(WANTED, confidence=0.999)
    return Finding(
        verdict.ok and result.failed == 0,
        f"{verdict}" + (f"\n{result.failed} failed: {result.errors}" if result.failed else ""),
        "a quarter, a half and a quarter, and no failure",
        "`%kubectl get virtualservices`: does a rule from another notebook divide the traffic?",
    )
