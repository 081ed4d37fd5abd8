"""Every request leaves a trace, and its spans say whose it is."""

from __future__ import annotations

from meshcourse.lab import Cluster, Finding, check, traces_of, traffic

N = 200
PATH = "/api/v1/products"


@check(f"Send {N} requests through the ingress gateway and count their traces")
def all_of_them(cluster: Cluster) -> Finding:
    traffic(cluster, PATH, seconds=3, rate=40)  # connections from before the change are closed
    run = traffic(cluster, PATH, n=N, rate=80)
    found = traces_of(cluster, run)
    return Finding(
        len(found) == N,
        f"{len(found)} traces",
        f"{N} traces",
        "`%kubectl get telemetry -A -o yaml`: which share is sampled, and in which namespace?",
    )


@check("Look for the tag `team` in the spans of 20 requests")
def tagged(cluster: Cluster) -> Finding:
    run = traffic(cluster, PATH, n=20, rate=40)
    spans = [span for trace in traces_of(cluster, run) for span in trace.spans]
    right = [span for span in spans if span.tags.get("team") == "bookinfo"]
    return Finding(
        bool(spans) and len(right) == len(spans),
        f"{len(right)} of {len(spans)} spans have team=bookinfo",
        "all of them",
        "`%kubectl explain telemetry.spec.tracing.customTags`",
    )
