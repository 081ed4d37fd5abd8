"""What controllers ask of pods: are they active, ready, available; how to make one; which to delete first."""

from __future__ import annotations

import math
from typing import Any

from meshcourse.embedded.controllers import conditions, times
from meshcourse.embedded.kube import objects
from meshcourse.embedded.kube.objects import Object

_COST = "controller.kubernetes.io/pod-deletion-cost"
_PHASES = {"Pending": 0, "Unknown": 1, "Running": 2}


def phase(pod: Object) -> str:
    return str(objects.dig(pod, "status.phase", "Pending"))


def is_finished(pod: Object) -> bool:
    return phase(pod) in ("Succeeded", "Failed")


def is_active(pod: Object) -> bool:
    return not is_finished(pod) and not objects.deleting(pod)


def is_ready(pod: Object) -> bool:
    return conditions.is_true(objects.dig(pod, "status.conditions", []), "Ready")


def ready_since(pod: Object) -> float | None:
    """When the pod became ready, seconds since the epoch; None if it is not."""
    found = conditions.find(objects.dig(pod, "status.conditions", []), "Ready")
    if found is None or found["status"] != "True":
        return None
    return times.seconds(found.get("lastTransitionTime"))


def available_in(pod: Object, min_ready: int, now: float) -> float | None:
    """Seconds until the pod has been ready for `min_ready` seconds (0 = available now); None if it is not ready."""
    if not is_ready(pod):
        return None
    if min_ready == 0:
        return 0.0
    since = ready_since(pod)
    return None if since is None else max(0.0, since + min_ready - now)


def is_available(pod: Object, min_ready: int, now: float) -> bool:
    return available_in(pod, min_ready, now) == 0.0


def restarts(pod: Object) -> int:
    return max(
        (c.get("restartCount", 0) for c in objects.dig(pod, "status.containerStatuses", [])),
        default=0,
    )


def from_template(template: Object, owner: Object) -> Object:
    """A pod for `owner`, named by the server from ``<owner>-``."""
    source = template.get("metadata") or {}
    metadata: Object = {"generateName": f"{objects.name(owner)}-"}
    metadata["namespace"] = objects.namespace(owner)
    for part in ("labels", "annotations"):
        if source.get(part):
            metadata[part] = dict(source[part])
    if source.get("finalizers"):
        metadata["finalizers"] = list(source["finalizers"])
    metadata["ownerReferences"] = [objects.owner_reference(owner)]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "spec": template.get("spec") or {},
    }


def deletion_order(pod: Object, now: float) -> tuple[Any, ...]:
    """Sort key: what comes first is deleted first.

    Source: Kubernetes documentation of ReplicaSet, "Scaling a ReplicaSet": not yet scheduled, pending, not ready, lower
    deletion cost, ready for less long, more restarts, younger; ages are compared by their order of magnitude and ties
    broken by uid, so that pods of about the same age go at random.
    """
    return (
        bool(objects.dig(pod, "spec.nodeName")),
        _PHASES.get(phase(pod), 1),
        is_ready(pod),
        _cost(pod),
        _magnitude(ready_since(pod), now),
        -restarts(pod),
        _magnitude(times.seconds(objects.dig(pod, "metadata.creationTimestamp")), now),
        objects.uid(pod),
    )


def _cost(pod: Object) -> int:
    try:
        return int(objects.annotations_of(pod).get(_COST, "0"))
    except ValueError:
        return 0


def _magnitude(then: float | None, now: float) -> int:
    """Decimal order of magnitude of an age in nanoseconds."""
    if then is None or now <= then:
        return -1
    return int(math.log10((now - then) * 1e9))
