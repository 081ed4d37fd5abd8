"""Each visitor gets the version that is meant for them, without exception."""

from __future__ import annotations

from meshcourse.lab import Cluster, Finding, check, traffic

N = 40


def gets(cluster: Cluster, user: str, version: str) -> Finding:
    """Sign in as a user ("": as nobody) and look at the stars of `N` pages."""
    result = traffic(cluster, "/productpage", n=N, rate=0, concurrency=4, user=user)
    seen = ", ".join(f"{label}: {count}" for label, count in result.versions.items())
    return Finding(
        result.versions == {version: N},
        seen + (f"; {result.failed} failed {result.errors}" if result.failed else ""),
        f"{version} for all {N}",
        '`mesh.routes("deploy/productpage-v1", "reviews")`: which rule fits first?',
    )


@check(f"Sign in as jason and look at {N} pages", converges=5)
def jason(cluster: Cluster) -> Finding:
    return gets(cluster, "jason", "v2")


@check(f"Sign in as protester-joe, who is no tester, and look at {N} pages")
def no_tester(cluster: Cluster) -> Finding:
    return gets(cluster, "protester-joe", "v1")


@check(f"Do not sign in, and look at {N} pages")
def nobody(cluster: Cluster) -> Finding:
    return gets(cluster, "", "v1")


@check(f"Sign in as tester-anna and look at {N} pages")
def tester(cluster: Cluster) -> Finding:
    return gets(cluster, "tester-anna", "v3")
