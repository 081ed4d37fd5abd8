"""Asking ``metrics.k8s.io`` what pods use, and turning one metric of an autoscaler into a number of replicas."""

from __future__ import annotations

import time
from typing import NamedTuple

from meshcourse.embedded.controllers import hpa_metrics, times
from meshcourse.embedded.controllers.context import Context
from meshcourse.embedded.controllers.hpa_metrics import MetricError, Sample, Target
from meshcourse.embedded.kube import objects, quantities, refs, selectors
from meshcourse.embedded.kube.objects import Object
from meshcourse.embedded.kube.status import ApiError
from meshcourse.errors import MeshcourseError


class MetricFailure(MeshcourseError):
    """A metric that cannot be used.

    :ivar reason: of the condition and the event.
    :ivar detail: what is wrong with the metric itself, where the message speaks of all of them.
    """

    def __init__(self, reason: str, message: str, detail: str = "") -> None:
        super().__init__(message)
        self.reason = reason
        self.detail = detail

    def among(self, failed: int, total: int) -> MetricFailure:
        """The same failure as the first of several."""
        detail = self.detail or self.message
        message = (
            f"invalid metrics ({failed} invalid out of {total}), first error is: {self.message}"
        )
        return MetricFailure(self.reason, message, detail)


class Measured(NamedTuple):
    """What a metric asks for, its name in messages, and its entry in ``status.currentMetrics``."""

    replicas: int
    name: str
    status: Object


class MetricSource:
    def __init__(self, context: Context) -> None:
        self._client = context.client
        self._pods = context.informer(refs.PODS)
        options = context.options
        self._patience = hpa_metrics.Patience(
            options.hpa_tolerance, options.cpu_initialization, options.initial_readiness
        )

    async def measure(self, hpa: Object, spec: Object, selector: str, current: int) -> Measured:
        """What the metric `spec` asks for.

        :raises MetricFailure: if it cannot be measured.
        """
        target = _target(spec)
        kind = "utilization" if target.utilization is not None else "usage"
        try:
            found, samples = await self._samples(objects.namespace(hpa), selector, target)
            proposal = hpa_metrics.propose(
                target, current, found, samples, self._patience, time.time()
            )
        except (MetricError, ApiError) as error:
            detail = f"failed to get {target.resource} {kind}: {error.message}"
            message = f"failed to get {_words(target)} metric value: {detail}"
            raise MetricFailure(_reason(target), message, detail) from error
        return Measured(proposal.replicas, _name(target), _status(spec, target, proposal))

    async def _samples(
        self, namespace: str, selector: str, target: Target
    ) -> tuple[list[Object], dict[str, Sample]]:
        """The pods selected and what they use."""
        prefix = f"unable to get metrics for resource {target.resource}: "
        try:
            listed = await self._client.list(refs.POD_METRICS, namespace, label_selector=selector)
        except ApiError as error:
            problem = f"unable to fetch metrics from resource metrics API: {error.message}"
            raise MetricError(prefix + problem) from error
        if not listed.items:
            raise MetricError(prefix + "no metrics returned from resource metrics API")
        chosen = selectors.parse_labels(selector)
        in_namespace = self._pods.by_namespace(namespace)
        found = [pod for pod in in_namespace if chosen.matches(objects.labels(pod))]
        names = {objects.name(pod) for pod in found}
        samples = {objects.name(one): _sample(one, target) for one in listed.items}
        return found, {n: sample for n, sample in samples.items() if sample and n in names}


def _sample(metrics: Object, target: Target) -> Sample | None:
    """The sum over the containers that count; None if one of them has no such metric."""
    counted = [c for c in metrics["containers"] if target.container in ("", c["name"])]
    amounts = [use[target.resource] for c in counted if target.resource in (use := c["usage"])]
    if not amounts or len(amounts) < len(counted):
        return None
    window = float(str(metrics.get("window", "0s")).rstrip("s") or 0)
    at = times.seconds(metrics.get("timestamp")) or 0.0
    return Sample(sum(quantities.milli(amount) for amount in amounts), at, window)


def _target(spec: Object) -> Target:
    kind = spec["type"]
    if kind not in ("Resource", "ContainerResource"):
        raise _unavailable(kind)
    source = spec["resource" if kind == "Resource" else "containerResource"]
    wanted = source["target"]
    container = source.get("container", "")
    if wanted.get("averageUtilization") is not None:
        return Target(source["name"], int(wanted["averageUtilization"]), None, container)
    if wanted.get("averageValue") is not None:
        return Target(source["name"], None, quantities.milli(wanted["averageValue"]), container)
    message = (
        "invalid resource metric source: neither an average utilization target nor an average "
        "value (usage) target was set"
    )
    raise MetricFailure("FailedGetResourceMetric", message)


def _unavailable(kind: str) -> MetricFailure:
    group = "external" if kind == "External" else "custom"
    message = (
        f"unable to fetch metrics from {group} metrics API: no {group} metrics API "
        f"({group}.metrics.k8s.io) registered"
    )
    return MetricFailure(f"FailedGet{kind}Metric", message)


def _reason(target: Target) -> str:
    return "FailedGetContainerResourceMetric" if target.container else "FailedGetResourceMetric"


def _words(target: Target) -> str:
    return (
        f"{target.resource} container resource"
        if target.container
        else f"{target.resource} resource"
    )


def _name(target: Target) -> str:
    words = _words(target)
    if target.utilization is None:
        return words
    return f"{words} utilization (percentage of request)"


def _status(spec: Object, target: Target, proposal: hpa_metrics.Proposal) -> Object:
    current: Object = {}
    if proposal.utilization is not None:
        current["averageUtilization"] = proposal.utilization
    current["averageValue"] = quantities.render_milli(proposal.average)
    found: Object = {"name": target.resource, "current": current}
    if target.container:
        return {"type": spec["type"], "containerResource": found | {"container": target.container}}
    return {"type": spec["type"], "resource": found}
