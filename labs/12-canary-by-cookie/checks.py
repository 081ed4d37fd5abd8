"""Testers get v3 without exception; of all others a quarter gets v2."""

from __future__ import annotations

from meshcourse.lab import Cluster, Finding, check, traffic

TESTERS, VISITORS = 40, 800
WANTED = {"v1": 75, "v2": 25}


def gets_v3(cluster: Cluster, cookie: str) -> Finding:
    """Send a cookie and look at the stars of `TESTERS` pages."""
    result = traffic(
        cluster, "/productpage", n=TESTERS, rate=0, concurrency=4, headers={"Cookie": cookie}
    )
    seen = ", ".join(f"{label}: {count}" for label, count in result.versions.items())
    return Finding(
        result.versions == {"v3": TESTERS},
        seen + (f"; {result.failed} failed {result.errors}" if result.failed else ""),
        f"v3 for all {TESTERS}",
        '`mesh.routes("deploy/productpage-v1", "reviews")`: which rule fits first, and does it lead anywhere?',
    )


@check("Send the cookie canary=yes", converges=5)
def tester(cluster: Cluster) -> Finding:
    return gets_v3(cluster, "canary=yes")


@check("Send canary=yes among other cookies")
def tester_with_other_cookies(cluster: Cluster) -> Finding:
    return gets_v3(cluster, "theme=dark; canary=yes; lang=en")


@check("Send the cookie canary=no, which is no tester's")
def no_tester(cluster: Cluster) -> Finding:
    result = traffic(
        cluster, "/productpage", n=20, rate=0, concurrency=4, headers={"Cookie": "canary=no"}
    )
    seen = ", ".join(f"{label}: {count}" for label, count in result.versions.items())
    return Finding(
        set(result.versions) <= set(WANTED),
        seen or str(result.errors),
        "v1 and v2 only",
        "does the condition look at the value of the cookie?",
    )


@check(f"Send {VISITORS} visitors without a cookie")
def visitors(cluster: Cluster) -> Finding:
    result = traffic(cluster, "/productpage", n=VISITORS, rate=0, concurrency=4)
    verdict = result.consistent_with(WANTED, confidence=0.9999)
    return Finding(
        verdict.ok and result.failed == 0,
        f"{verdict}" + (f"\n{result.failed} failed: {result.errors}" if result.failed else ""),
        "three quarters and a quarter, and no failure",
        "`%kubectl get virtualservice reviews -o yaml`: the weights of the route without a condition",
    )
