"""An exception for one port of one workload, and for plaintext only."""

from __future__ import annotations

from meshcourse.lab import Cluster, Finding, ask, check

DETAILS = "http://details.default:9080/details/0"
RATINGS = "http://ratings.default:9080/ratings/0"
N = 20


@check(f"Let the old client ask details {N} times", converges=4)
def served(cluster: Cluster) -> Finding:
    found = ask(cluster, "curl.old", DETAILS, n=N)
    return Finding(
        found.refused == 0,
        repr(found),
        f"{N} answers",
        "`%kubectl get peerauthentications`: which one applies to the pod of details?",
    )


@check(f"Let the old client ask ratings {N} times", converges=4)
def refused(cluster: Cluster) -> Finding:
    found = ask(cluster, "curl.old", RATINGS, n=N)
    return Finding(
        found.refused == N,
        repr(found),
        "no answer from ratings, not once",
        "Is the exception wider than details, or has `default` been changed?",
    )


@check("Ask details from within the mesh, and look at how the call arrived", converges=4)
def mutual(cluster: Cluster) -> Finding:
    found = ask(cluster, "curl", DETAILS, n=N)
    policies = {
        item["metadata"]["name"]: (item["spec"].get("mtls") or {}).get("mode", "")
        for item in cluster.objects("peerauthentications")
    }
    modes = {
        (port or {}).get("mode", "")
        for item in cluster.objects("peerauthentications")
        for port in (item["spec"].get("portLevelMtls") or {}).values()
    }
    return Finding(
        found.refused == 0 and "DISABLE" not in {*policies.values(), *modes},
        f"{N - found.refused} of {N} answered; modes: {policies}, ports: {sorted(modes)}",
        "all answered, and DISABLE nowhere: whoever can speak mutual TLS does",
        "the second hint",
    )
