"""Pages have stars again, by way of the new name."""

from __future__ import annotations

from meshcourse.lab import Cluster, Finding, check, routes, traffic


@check("Look where reviews sends its calls to ratings", converges=5)
def new_name(cluster: Cluster) -> Finding:
    found = routes(cluster, "deploy/reviews-v2", "ratings")
    where = ", ".join(route.then for route in found.routes)
    return Finding(
        where == "stars",
        where or "nowhere",
        "stars",
        "`%kubectl get virtualservice ratings -o yaml`",
    )


N = 60


@check(f"Look at {N} pages and count those without ratings", converges=5)
def stars(cluster: Cluster) -> Finding:
    result = traffic(cluster, "/productpage", n=N, rate=0, concurrency=4)
    seen = ", ".join(f"{label}: {count}" for label, count in result.versions.items())
    return Finding(
        result.failed == 0 and set(result.versions) <= {"v1", "v2", "v3"},
        seen or f"{result.statuses}",
        "v1, v2, v3, and nothing else",
        '`mesh.access_log("reviews", last=60).to("stars")`: which flag?',
    )
