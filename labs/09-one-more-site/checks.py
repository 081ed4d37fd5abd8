"""What is published is found, what is not is a 404 of the gateway, and other names do not lead here."""

from __future__ import annotations

from meshcourse.lab import Cluster, Finding, check, traffic

HOST, N = "httpbin.example.com", 20
LOOK = "`%kubectl get gateways.networking.istio.io,virtualservices,httproutes -n httpbin -o yaml`"


def statuses(cluster: Cluster, path: str, host: str = HOST) -> dict[int, int]:
    """What N requests through the gateway are answered with."""
    return traffic(cluster, path, host=host, n=N, rate=100, classified=None).statuses


def judged(found: dict[str, dict[int, int]], wanted: dict[str, int]) -> Finding:
    """Every path must have got one status, always."""
    return Finding(
        all(found[path] == {status: N} for path, status in wanted.items()),
        "; ".join(f"{path}: {counts or 'no answer'}" for path, counts in found.items()),
        "; ".join(f"{path}: all {status}" for path, status in wanted.items()),
        LOOK,
    )


@check(f"Ask for what is published under {HOST}", converges=8)
def published(cluster: Cluster) -> Finding:
    wanted = {"/headers": 200, "/status/200": 200, "/status/418": 418}
    return judged({path: statuses(cluster, path) for path in wanted}, wanted)


@check("Ask for what is not published under that name", converges=10)
def hidden(cluster: Cluster) -> Finding:
    wanted = {"/ip": 404, "/get": 404, "/headers/more": 404, "/": 404}
    return judged({path: statuses(cluster, path) for path in wanted}, wanted)


@check("Ask for the published paths under another name", converges=10)
def other_names(cluster: Cluster) -> Finding:
    wanted = {"/headers": 404, "/status/418": 404}
    return judged({path: statuses(cluster, path, "other.example.com") for path in wanted}, wanted)
