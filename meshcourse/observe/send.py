"""Traffic to something in a cluster: by path through the ingress gateway, by Service name, or by URL."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from meshcourse.cluster.cluster import Cluster
from meshcourse.cluster.progress import Progress, silent
from meshcourse.observe import classify, live
from meshcourse.observe import traffic as generator
from meshcourse.observe.result import Result

GATEWAY, GATEWAY_NAMESPACE = "istio-ingressgateway", "istio-system"


def url_of(cluster: Cluster, target: str, path: str = "") -> str:
    """``/productpage`` through the ingress gateway, ``reviews`` by its Service, ``http://…`` as it is."""
    if target.startswith(("http://", "https://")):
        return target + path
    if target.startswith("/"):
        return cluster.url(GATEWAY, "http2", target, namespace=GATEWAY_NAMESPACE)
    return cluster.url(target, path=path)


def plan(
    cluster: Cluster,
    target: str = "/productpage",
    *,
    n: int | None = None,
    seconds: float | None = None,
    rate: float = 100.0,
    path: str = "",
    headers: Mapping[str, str] | None = None,
    host: str = "",
    user: str = "",
    method: str = "GET",
    concurrency: int = 64,
    timeout: float = 20.0,
    classified: classify.Classifier | str | None = "reviews",
) -> generator.Plan:
    """What to send, with defaults that suit Bookinfo: 100 requests a second, versions told by the stars.

    :param host: the ``Host`` header, where a gateway tells sites apart by name.
    """
    named = {"Host": host} if host else {}
    return generator.Plan(
        url=url_of(cluster, target, path),
        n=n if n is not None or seconds is not None else 400,
        seconds=seconds,
        rate=rate,
        concurrency=concurrency,
        method=method,
        headers={**named, **(headers or {})},
        user=user,
        timeout=timeout,
        classify=classify.choose(classified),
    )


def traffic(
    cluster: Cluster, target: str = "/productpage", *, progress: Progress | None = None, **what: Any
) -> Result:
    """Send and measure; further parameters as of `plan`. Without `progress` nothing is shown meanwhile."""
    return live.measure(plan(cluster, target, **what), progress or silent())
