"""Pages have stars again, and the calls are encrypted."""

from __future__ import annotations

from meshcourse.lab import Cluster, Finding, check, traffic

N = 60


@check(f"Look at {N} pages and count those without ratings", converges=5)
def stars(cluster: Cluster) -> Finding:
    result = traffic(cluster, "/productpage", n=N, rate=0, concurrency=4)
    seen = ", ".join(f"{label}: {count}" for label, count in result.versions.items())
    return Finding(
        result.failed == 0 and set(result.versions) <= {"v1", "v2", "v3"},
        seen or f"{result.statuses}",
        "v1, v2, v3, and nothing else",
        '`mesh.access_log("reviews", last=60).to("ratings")`: which flag?',
    )


@check("Look which TLS the rules ask for")
def encrypted(cluster: Cluster) -> Finding:
    modes = []
    for rule in cluster.objects("destinationrules.networking.istio.io"):
        tls = (rule["spec"].get("trafficPolicy") or {}).get("tls") or {}
        modes.append(f"{rule['spec']['host']}: {tls.get('mode', 'the default')}")
    return Finding(
        not any("DISABLE" in mode or "SIMPLE" in mode for mode in modes),
        ", ".join(modes) or "no rules: the default, mutual TLS",
        "ISTIO_MUTUAL, or the default",
        "`%kubectl get destinationrules -o yaml`",
    )
