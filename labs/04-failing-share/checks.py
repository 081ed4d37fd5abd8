"""The learner's query is compared with what the callers' Envoys have counted."""

from __future__ import annotations

import math

from meshcourse.lab import Cluster, Finding, check, prometheus, traffic

RATINGS = 'istio_requests_total{reporter="source", destination_service_name="ratings"'
REFERENCE = f'sum(rate({RATINGS}, response_code=~"5.."}}[1m])) / sum(rate({RATINGS}}}[1m]))'
N = 400


def answer(cluster: Cluster) -> str:
    data = cluster.get("configmap", "answer", "default").get("data") or {}
    return str(data.get("query", "")).strip()


@check("Read the key `query` of the ConfigMap answer")
def there(cluster: Cluster) -> Finding:
    query = answer(cluster)
    return Finding(
        bool(query),
        query or "it is empty",
        "a PromQL query",
        "`%kubectl get configmap answer -o yaml`",
    )


@check(f"Send {N} requests to /productpage, so that there is something to measure")
def measured(cluster: Cluster) -> Finding:
    result = traffic(cluster, "/productpage", n=N, rate=0, concurrency=4)
    return Finding(
        result.failed == 0,
        f"{N - result.failed} answered, {result.failed} failed {result.errors or ''}".strip(),
        "all pages answered: Bookinfo shows pages without stars if there are no ratings",
        "`%kubectl get pods`: does Bookinfo run?",
    )


@check("Ask Prometheus the query and compare with what callers saw", converges=15)
def right(cluster: Cluster) -> Finding:
    ask = prometheus(cluster)
    found = ask.query(answer(cluster))
    if len(found) != 1:
        return Finding(
            False,
            f"{len(found)} results",
            "one number",
            "sum(…) makes one number of many lines; a division of both sums stays one",
        )
    truth = ask.query(REFERENCE).value
    close = math.isclose(found.value, truth, abs_tol=0.02) and truth > 0
    return Finding(
        close,
        f"{found.value:.3f}; callers saw {truth:.3f}",
        "the same share, up to 0.02",
        "whose Envoy answers here? Compare `reporter`",
    )
