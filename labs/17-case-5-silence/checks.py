"""jason gets v2, the others v1."""

from __future__ import annotations

from meshcourse.lab import Cluster, Finding, check, traffic

N = 40


def gets(cluster: Cluster, user: str, version: str) -> Finding:
    result = traffic(cluster, "/productpage", n=N, rate=0, concurrency=4, user=user)
    seen = ", ".join(f"{label}: {count}" for label, count in result.versions.items())
    return Finding(
        result.versions == {version: N},
        seen or f"{result.statuses}",
        f"{version} for all {N}",
        '`mesh.routes("deploy/productpage-v1", "reviews")`: is the rule there?',
    )


@check(f"Sign in as jason and look at {N} pages", converges=5)
def jason(cluster: Cluster) -> Finding:
    return gets(cluster, "jason", "v2")


@check(f"Do not sign in, and look at {N} pages")
def others(cluster: Cluster) -> Finding:
    return gets(cluster, "", "v1")
