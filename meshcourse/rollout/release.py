"""A canary in a cluster: weights by a VirtualService, errors by Prometheus, visitors by the traffic generator."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from meshcourse.cluster.cluster import Cluster
from meshcourse.observe import addons, send, traffic
from meshcourse.rollout import canary, weights
from meshcourse.rollout.canary import Canary, Plan, Show
from meshcourse.rollout.judging import Counts
from meshcourse.rollout.splitter import Splitter

_FOREVER = 3600.0


def release(
    cluster: Cluster,
    plan: Plan,
    target: str = "/productpage",
    *,
    show: Show = lambda _found: None,
    sends: bool = True,
    namespace: str = "",
    **what: Any,
) -> Canary:
    """Try a candidate with real visitors: promoted if it is good, rolled back if it is not.

    :param show: told whenever something is new.
    :param sends: send requests to `target` meanwhile (`what` as of `observe.send.plan`); False if others do.
    :raises RolloutError: if a version does not exist.
    """
    splitter, ask = Splitter(cluster, plan.host, namespace), addons.prometheus(cluster)
    weights.checked(plan.weights(0), splitter.versions)
    every, failed = queries(plan, splitter.namespace)

    def count() -> Counts:
        return Counts(ask.query(every).value, ask.query(failed).value)

    looks = min(5.0, max(0.5, ask.scrape_interval() / 2))
    run = canary.Run(plan, splitter.set, count, query=error_rate(plan), show=show, every=looks)
    if not sends:
        return run.result()
    sending = send.plan(cluster, target, seconds=_FOREVER, **{"rate": 0, "concurrency": 4, **what})
    with traffic.Run(sending) as visitors:
        found = run.result()
        visitors.stop()
        return replace(found, visitors=visitors.result())


def queries(plan: Plan, namespace: str) -> tuple[str, str]:
    """PromQL for all requests to the candidate and for those that failed, ever, as the callers' Envoys saw them.

    Counters and not rates: a series that begins with a failure has no rate yet (it takes two samples), but it counts.
    """
    labels = (
        f'reporter="source", destination_service_name="{plan.host}", '
        f'destination_service_namespace="{namespace}", destination_version="{plan.candidate}"'
    )
    every = f"istio_requests_total{{{labels}}}"
    return f"sum({every})", f'sum(istio_requests_total{{{labels}, response_code=~"5.."}})'


def error_rate(plan: Plan) -> str:
    """The same question as a person asks it at a dashboard: the error rate over the last 30 seconds."""
    labels = (
        f'reporter="source", destination_service_name="{plan.host}", '
        f'destination_version="{plan.candidate}"'
    )
    failed = f'sum(rate(istio_requests_total{{{labels}, response_code=~"5.."}}[30s]))'
    return f"{failed} / sum(rate(istio_requests_total{{{labels}}}[30s]))"
