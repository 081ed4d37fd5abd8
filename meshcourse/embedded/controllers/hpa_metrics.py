"""How many replicas the use of a resource asks for. Pure.

Source: Kubernetes documentation, "Horizontal Pod Autoscaling", section "Algorithm details": the ratio of use to target,
a tolerance, and careful assumptions about pods that are not ready or have no metrics.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from meshcourse.embedded.controllers import conditions, pods, times
from meshcourse.embedded.kube import objects, quantities
from meshcourse.embedded.kube.objects import Object
from meshcourse.errors import MeshcourseError


class MetricError(MeshcourseError):
    """Why no number of replicas can be computed, as the controller words it."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What one pod uses: thousandths of a core or byte, when it was measured, over how many seconds."""

    value: int
    at: float
    window: float


@dataclass(frozen=True, slots=True)
class Target:
    """What a metric aims at: a percentage of the requests, or an average value in thousandths.

    :ivar container: only this container counts, for metrics of type ContainerResource.
    """

    resource: str
    utilization: int | None = None
    average: int | None = None
    container: str = ""


@dataclass(frozen=True, slots=True)
class Patience:
    """How new pods are treated, in seconds, and the tolerance. See `context.Options`."""

    tolerance: float = 0.1
    cpu_initialization: float = 300.0
    initial_readiness: float = 30.0


@dataclass(frozen=True, slots=True)
class Proposal:
    """Replicas asked for, and the use found: percentage of requests (or None) and average in thousandths."""

    replicas: int
    utilization: int | None
    average: int


@dataclass(slots=True)
class _Groups:
    ready: int = 0
    unready: set[str] = field(default_factory=set)
    missing: set[str] = field(default_factory=set)
    ignored: set[str] = field(default_factory=set)


def propose(
    target: Target,
    current: int,
    found: Sequence[Object],
    samples: Mapping[str, Sample],
    patience: Patience,
    now: float,
) -> Proposal:
    """The number of replicas that brings the use of the pods `found` to `target`.

    :param current: replicas now.
    :param samples: use by the pod's name.
    :raises MetricError: if that cannot be said.
    """
    if not found:
        raise MetricError("no pods returned by selector while calculating replica count")
    groups = _group(found, samples, target.resource, patience, now)
    excluded = groups.unready | groups.ignored
    use = {name: sample.value for name, sample in samples.items() if name not in excluded}
    scale = _Scale(target, _requests(found, target))
    if not use:
        raise MetricError("did not receive metrics for targeted pods (pods might be unready)")
    ratio, utilization, average = scale.ratio(use)
    replicas = _replicas(scale, current, groups, use, ratio, patience.tolerance)
    return Proposal(replicas, utilization, average)


class _Scale:
    """Turns use into a ratio to the target."""

    def __init__(self, target: Target, requests: Mapping[str, int]) -> None:
        self._target = target
        self._requests = requests

    def ratio(self, use: Mapping[str, int]) -> tuple[float, int | None, int]:
        """Ratio, percentage of the requests, average."""
        total = sum(use.values())
        average = total // len(use)
        if self._target.utilization is None:
            return average / (self._target.average or 1), None, average
        requested = sum(self._requests[name] for name in use if name in self._requests)
        if requested == 0:
            raise MetricError("no metrics returned matched known pods")
        utilization = total * 100 // requested
        return utilization / self._target.utilization, utilization, average

    def full_use(self, name: str) -> int:
        """What a pod without metrics is taken to use when that argues against scaling down."""
        if self._target.utilization is None:
            return self._target.average or 0
        percentage = max(100, self._target.utilization)
        return self._requests.get(name, 0) * percentage // 100


def _replicas(
    scale: _Scale,
    current: int,
    groups: _Groups,
    use: dict[str, int],
    ratio: float,
    tolerance: float,
) -> int:
    idle = groups.unready if ratio > 1 else set()
    if not idle and not groups.missing:
        near = abs(1 - ratio) <= tolerance
        return current if near else math.ceil(ratio * groups.ready)
    assumed = {name: scale.full_use(name) if ratio < 1 else 0 for name in groups.missing}
    adjusted = use | assumed | dict.fromkeys(idle, 0)
    new = scale.ratio(adjusted)[0]
    turned = (ratio < 1 < new) or (new < 1 < ratio)
    if turned or abs(1 - new) <= tolerance:
        return current
    replicas = math.ceil(new * len(adjusted))
    if (new < 1 and replicas > current) or (new > 1 and replicas < current):
        return current
    return replicas


def _group(
    found: Iterable[Object],
    samples: Mapping[str, Sample],
    resource: str,
    patience: Patience,
    now: float,
) -> _Groups:
    groups = _Groups()
    for pod in found:
        name = objects.name(pod)
        if objects.deleting(pod) or pods.phase(pod) == "Failed":
            groups.ignored.add(name)
        elif pods.phase(pod) == "Pending":
            groups.unready.add(name)
        elif name not in samples:
            groups.missing.add(name)
        elif resource == "cpu" and _too_young(pod, samples[name], patience, now):
            groups.unready.add(name)
        else:
            groups.ready += 1
    return groups


def _too_young(pod: Object, sample: Sample, patience: Patience, now: float) -> bool:
    """Starting takes CPU that says nothing about load."""
    ready = conditions.find(objects.dig(pod, "status.conditions", []), "Ready")
    began = times.seconds(objects.dig(pod, "status.startTime"))
    if ready is None or began is None:
        return True
    changed = times.seconds(ready.get("lastTransitionTime")) or began
    not_ready = ready["status"] == "False"
    if began + patience.cpu_initialization > now:
        return bool(not_ready or sample.at < changed + sample.window)
    return bool(not_ready and began + patience.initial_readiness > changed)


def _requests(found: Iterable[Object], target: Target) -> dict[str, int]:
    """Requests in thousandths by pod; needed only for targets in percent."""
    if target.utilization is None:
        return {}
    return {objects.name(pod): _request(pod, target) for pod in found}


def _request(pod: Object, target: Target) -> int:
    spec = pod["spec"]
    sidecars = [c for c in spec.get("initContainers") or [] if c.get("restartPolicy") == "Always"]
    total = 0
    for container in [*spec["containers"], *sidecars]:
        if target.container in ("", container["name"]):
            total += _container_request(pod, container, target.resource)
    return total


def _container_request(pod: Object, container: Object, resource: str) -> int:
    amount = objects.dig(container, f"resources.requests.{resource}")
    if amount is None:
        raise MetricError(
            f"missing request for {resource} in container {container['name']} of Pod {objects.name(pod)}"
        )
    return quantities.milli(amount)
