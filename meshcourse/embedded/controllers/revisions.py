"""Which ReplicaSet stands for which revision of a Deployment. Pure.

Source: Kubernetes documentation of Deployments ("Rolling back", "Clean up policy"), annotations reference.
"""

from __future__ import annotations

from meshcourse.embedded.controllers import naming, rollout_plan
from meshcourse.embedded.kube import objects
from meshcourse.embedded.kube.objects import Object

REVISION = "deployment.kubernetes.io/revision"
_HISTORY = "deployment.kubernetes.io/revision-history"
HASH = "pod-template-hash"

#: Annotations of a Deployment that its ReplicaSets do not inherit.
_OWN = frozenset(
    {
        "kubectl.kubernetes.io/last-applied-configuration",
        REVISION,
        _HISTORY,
        rollout_plan.DESIRED,
        rollout_plan.MAXIMUM,
        "deprecated.deployment.rollback.to",
    }
)


def of(obj: Object) -> int:
    """The revision annotated; 0 for none."""
    text = objects.annotations_of(obj).get(REVISION, "")
    return int(text) if text.isdigit() else 0


def find_new(deployment: Object, sets: list[Object]) -> Object | None:
    """The oldest ReplicaSet whose template is the Deployment's."""
    wanted = _comparable(deployment["spec"]["template"])
    alike = [rs for rs in sets if _comparable(rs["spec"]["template"]) == wanted]
    return min(alike, key=by_creation, default=None)


def by_creation(rs: Object) -> tuple[str, str]:
    return str(objects.dig(rs, "metadata.creationTimestamp", "")), objects.name(rs)


def _comparable(template: Object) -> Object:
    """A template without the hash label and without what only looks like a difference."""
    meta = {k: v for k, v in (template.get("metadata") or {}).items() if v}
    labels = {k: v for k, v in (meta.get("labels") or {}).items() if k != HASH}
    return {**template, "metadata": meta | {"labels": labels}}


def new_replicaset(deployment: Object) -> Object:
    """The ReplicaSet for the Deployment's template, still without size and revision."""
    template = deployment["spec"]["template"]
    collisions = int(objects.dig(deployment, "status.collisionCount", 0))
    mark = {HASH: naming.template_hash(template, collisions)}
    meta = template.get("metadata") or {}
    labels = (meta.get("labels") or {}) | mark
    selector = deployment["spec"]["selector"]
    selector = selector | {"matchLabels": (selector.get("matchLabels") or {}) | mark}
    spec: Object = {"replicas": 0, "selector": selector}
    if deployment["spec"].get("minReadySeconds"):
        spec["minReadySeconds"] = deployment["spec"]["minReadySeconds"]
    spec["template"] = {**template, "metadata": meta | {"labels": labels}}
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": f"{objects.name(deployment)}-{mark[HASH]}",
            "namespace": objects.namespace(deployment),
            "labels": labels,
            "ownerReferences": [objects.owner_reference(deployment)],
        },
        "spec": spec,
    }


def notes(deployment: Object, rs: Object, revision: int, *, exists: bool) -> dict[str, str]:
    """The annotations that the new ReplicaSet should have.

    A ReplicaSet that comes back (``rollout undo``) gets the newest revision and remembers those it had.
    """
    found = dict(objects.annotations_of(rs))
    found |= {k: v for k, v in objects.annotations_of(deployment).items() if k not in _OWN}
    before = of(rs)
    if before < revision:
        found[REVISION] = str(revision)
        if before:
            history = [part for part in found.get(_HISTORY, "").split(",") if part]
            found[_HISTORY] = ",".join([*history, str(before)])
    if not exists:
        found |= rollout_plan.size_annotations(deployment)
    return found


def expired(deployment: Object, old: list[Object]) -> list[Object]:
    """Old ReplicaSets beyond ``revisionHistoryLimit`` that nothing runs under, oldest revision first."""
    limit = objects.dig(deployment, "spec.revisionHistoryLimit", 10)
    candidates = [rs for rs in old if not objects.deleting(rs)]
    candidates.sort(key=lambda rs: (of(rs), by_creation(rs)))
    surplus = candidates[: max(0, len(candidates) - int(limit))]
    return [rs for rs in surplus if _is_settled_at_zero(rs)]


def _is_settled_at_zero(rs: Object) -> bool:
    generation = objects.dig(rs, "metadata.generation", 1)
    observed = objects.dig(rs, "status.observedGeneration", 0)
    running = objects.dig(rs, "status.replicas", 0)
    return rollout_plan.replicas(rs) == 0 and running == 0 and generation <= observed
