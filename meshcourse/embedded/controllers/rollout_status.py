"""A Deployment's status: counts, and the conditions Available, Progressing and ReplicaFailure. Pure but for the clock.

Source: API reference of DeploymentStatus; Kubernetes documentation, "Deployment status" (reasons and their order).
"""

from __future__ import annotations

from meshcourse.embedded.controllers import conditions, rollout_plan, times
from meshcourse.embedded.kube import objects
from meshcourse.embedded.kube.objects import Object

#: ``progressDeadlineSeconds`` of this value means none.
_NO_DEADLINE = 2147483647

COMPLETE = "NewReplicaSetAvailable"
TIMED_OUT = "ProgressDeadlineExceeded"


def deadline(deployment: Object) -> int | None:
    found = objects.dig(deployment, "spec.progressDeadlineSeconds", _NO_DEADLINE)
    return None if found == _NO_DEADLINE else int(found)


def set_condition(
    found: list[Object], type_: str, status: str, reason: str, message: str
) -> list[Object]:
    """As the deployment controller sets one: same status and reason mean no change, else it goes to the end."""
    old = conditions.find(found, type_)
    if old is not None and (old["status"], old.get("reason")) == (status, reason):
        return found
    changed = conditions.put(found, type_, status, reason, message, lastUpdateTime=objects.now())
    fresh = [c for c in changed if c["type"] == type_]
    return conditions.without(changed, type_) + fresh


def calculate(deployment: Object, new: Object | None, everyone: list[Object]) -> Object:
    """The status for these ReplicaSets, with conditions other than Available as they were."""

    def total(field: str, among: list[Object]) -> int:
        return sum(int(objects.dig(rs, f"status.{field}", 0)) for rs in among)

    available = total("availableReplicas", everyone)
    specified = sum(map(rollout_plan.replicas, everyone))
    old = deployment.get("status") or {}
    counts = {
        "collisionCount": old.get("collisionCount"),
        "replicas": total("replicas", everyone),
        "updatedReplicas": total("replicas", [new] if new else []),
        "readyReplicas": total("readyReplicas", everyone),
        "availableReplicas": available,
        "unavailableReplicas": max(0, specified - available),
    }
    status: Object = {"observedGeneration": objects.dig(deployment, "metadata.generation", 1)}
    status |= {name: count for name, count in counts.items() if count}
    found = _availability(deployment, available, list(old.get("conditions") or []))
    return status | {"conditions": found}


def _availability(deployment: Object, available: int, found: list[Object]) -> list[Object]:
    minimum = rollout_plan.replicas(deployment) - rollout_plan.fence(deployment).unavailable
    if available >= minimum:
        reason, message = "MinimumReplicasAvailable", "Deployment has minimum availability."
        return set_condition(found, "Available", "True", reason, message)
    reason, message = (
        "MinimumReplicasUnavailable",
        "Deployment does not have minimum availability.",
    )
    return set_condition(found, "Available", "False", reason, message)


def is_complete(deployment: Object, status: Object) -> bool:
    """Every wanted replica is of the new template and available, and none of an old one is left."""
    wanted = rollout_plan.replicas(deployment)
    counts = (status.get(name, 0) for name in ("updatedReplicas", "replicas", "availableReplicas"))
    generation = objects.dig(deployment, "metadata.generation", 1)
    return all(n == wanted for n in counts) and status.get("observedGeneration", 0) >= generation


def with_progress(deployment: Object, status: Object, new: Object | None) -> Object:
    """`status` with the condition Progressing brought up to date."""
    found = status["conditions"]
    if deadline(deployment) is None:
        return status | {"conditions": conditions.without(found, "Progressing")}
    current = conditions.find(found, "Progressing")
    settled = current is not None and current.get("reason") == COMPLETE
    if settled and status.get("replicas", 0) == status.get("updatedReplicas", 0):
        return status  # the last rollout is over: being rescheduled is not progress
    subject = f'ReplicaSet "{objects.name(new)}"' if new else None
    subject = subject or f'Deployment "{objects.name(deployment)}"'
    return status | {"conditions": _progress(deployment, status, subject, current)}


def _progress(
    deployment: Object, status: Object, subject: str, current: Object | None
) -> list[Object]:
    found: list[Object] = status["conditions"]
    if is_complete(deployment, status):
        message = f"{subject} has successfully progressed."
        return set_condition(found, "Progressing", "True", COMPLETE, message)
    if _moved(deployment.get("status") or {}, status):
        return _progressing(found, f"{subject} is progressing.", current)
    if timed_out(deployment, current):
        message = f"{subject} has timed out progressing."
        return set_condition(found, "Progressing", "False", TIMED_OUT, message)
    return found


def _progressing(found: list[Object], message: str, current: Object | None) -> list[Object]:
    """Unlike other conditions, this one is renewed on every bit of progress: the deadline counts from there."""
    fresh = set_condition([], "Progressing", "True", "ReplicaSetUpdated", message)[0]
    if current is not None and current["status"] == "True":
        fresh["lastTransitionTime"] = current["lastTransitionTime"]
    return [*conditions.without(found, "Progressing"), fresh]


def _moved(old: Object, new: Object) -> bool:
    def outdated(status: Object) -> int:
        return int(status.get("replicas", 0)) - int(status.get("updatedReplicas", 0))

    grew = ("updatedReplicas", "readyReplicas", "availableReplicas")
    return any(new.get(name, 0) > old.get(name, 0) for name in grew) or outdated(new) < outdated(
        old
    )


def timed_out(deployment: Object, current: Object | None) -> bool:
    limit = deadline(deployment)
    if current is None or limit is None or current.get("reason") == COMPLETE:
        return False
    if current.get("reason") == TIMED_OUT:
        return True
    return (times.since(current.get("lastUpdateTime")) or 0.0) > limit


def next_check(deployment: Object, status: Object) -> float | None:
    """Seconds until the progress deadline may have passed; None if nothing is going on."""
    limit = deadline(deployment)
    current = conditions.find(status.get("conditions") or [], "Progressing")
    if limit is None or current is None or is_complete(deployment, status):
        return None
    if current.get("reason") in (TIMED_OUT, COMPLETE):
        return None
    # Time stamps are whole seconds: one more makes sure that the deadline has passed.
    return max(0.0, limit - (times.since(current.get("lastUpdateTime")) or 0.0)) + 1.0


def with_failures(status: Object, new: Object | None, everyone: list[Object]) -> Object:
    """`status` with ReplicaFailure of the new ReplicaSet, else of any, else without it."""
    candidates = [*([new] if new else []), *everyone]
    for rs in candidates:
        failure = conditions.find(objects.dig(rs, "status.conditions", []), "ReplicaFailure")
        if failure is not None:
            found = set_condition(
                status["conditions"],
                "ReplicaFailure",
                failure["status"],
                failure.get("reason", ""),
                failure.get("message", ""),
            )
            return status | {"conditions": found}
    return status | {"conditions": conditions.without(status["conditions"], "ReplicaFailure")}
