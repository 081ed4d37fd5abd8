"""The Envoys of reviews know ratings and nothing else of their namespace, and nobody suffers from it."""

from __future__ import annotations

from meshcourse.lab import Cluster, Finding, check, traffic

HOME, SYSTEM = ".default.svc.cluster.local", ".istio-system.svc.cluster.local"
N = 60


def known(cluster: Cluster, workload: str) -> set[str]:
    """The destinations that the Envoy of a workload knows."""
    lines = cluster.istioctl("proxy-config", "cluster", workload).check().output.splitlines()
    return {line.split()[0] for line in lines if " outbound " in line}


@check("Ask the Envoys of reviews which Services of the namespace they know", converges=5)
def narrow(cluster: Cluster) -> Finding:
    found = {
        version: sorted(
            host.removesuffix(HOME)
            for host in known(cluster, f"deploy/reviews-{version}")
            if host.endswith(HOME)
        )
        for version in ("v1", "v2", "v3")
    }
    return Finding(
        all(hosts == ["ratings"] for hosts in found.values()),
        "; ".join(f"{version}: {', '.join(hosts) or 'none'}" for version, hosts in found.items()),
        "ratings, and no other",
        "`%kubectl get sidecar reviews -o yaml`: which hosts does it name?",
    )


@check("Ask them for Services of istio-system")
def system(cluster: Cluster) -> Finding:
    found = [host for host in known(cluster, "deploy/reviews-v2") if host.endswith(SYSTEM)]
    return Finding(
        bool(found),
        f"{len(found)} Services",
        "some: metrics and traces go there",
        "the hosts of another namespace are `namespace/*`",
    )


@check("Ask the Envoy of productpage what it knows")
def caller(cluster: Cluster) -> Finding:
    found = known(cluster, "deploy/productpage-v1")
    missing = [name for name in ("details", "reviews") if f"{name}{HOME}" not in found]
    return Finding(
        not missing,
        f"it does not know {' and '.join(missing)}" if missing else "details and reviews",
        "details and reviews, as before",
        "does the Sidecar have a `workloadSelector`? Without one it is meant for the whole namespace",
    )


@check(f"Look at {N} pages")
def stars(cluster: Cluster) -> Finding:
    result = traffic(cluster, "/productpage", n=N, rate=0, concurrency=4)
    wrong = {label: n for label, n in result.versions.items() if not label.startswith("v")}
    seen = ", ".join(f"{label}: {count}" for label, count in result.versions.items())
    return Finding(
        not wrong and result.failed == 0 and result.n == N,
        seen + (f"; {result.failed} failed {result.errors}" if result.failed else ""),
        "stars (or, for v1, none) on every page",
        "can reviews still reach ratings? `%kubectl logs deploy/reviews-v2 -c istio-proxy --tail=5`",
    )
