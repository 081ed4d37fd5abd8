"""Whether a pod's wishes about its node can be met: selector, affinity, taints. Pure.

Source: Kubernetes API reference (NodeSelectorTerm, Toleration); kube-scheduler's messages.
"""

from __future__ import annotations

from collections.abc import Iterable

from meshcourse.embedded.kube import objects
from meshcourse.embedded.kube.objects import Object


def selects(pod: Object, node: Object) -> bool:
    """Whether ``nodeSelector`` and required node affinity accept the node."""
    labels = objects.labels(node)
    spec = pod.get("spec") or {}
    wanted = spec.get("nodeSelector") or {}
    if any(labels.get(key) != value for key, value in wanted.items()):
        return False
    required = objects.dig(
        spec, "affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution"
    )
    if required is None:
        return True
    return any(_term(term, node) for term in required.get("nodeSelectorTerms") or [])


def untolerated(pod: Object, taints: Iterable[Object]) -> Object | None:
    """The first taint that keeps the pod away."""
    tolerations = (pod.get("spec") or {}).get("tolerations") or []
    for taint in taints:
        if taint.get("effect") == "PreferNoSchedule":
            continue
        if not any(_tolerates(toleration, taint) for toleration in tolerations):
            return taint
    return None


def _term(term: Object, node: Object) -> bool:
    expressions, fields = term.get("matchExpressions") or [], term.get("matchFields") or []
    if not expressions and not fields:
        return False
    named = {"metadata.name": objects.name(node)}
    return all(_matches(e, objects.labels(node)) for e in expressions) and all(
        _matches(e, named) for e in fields
    )


def _matches(expression: Object, labels: dict[str, str]) -> bool:
    value = labels.get(expression["key"])
    values = expression.get("values") or []
    operator = expression["operator"]
    if operator == "In":
        return value in values
    if operator == "NotIn":
        return value not in values
    if operator == "Exists":
        return value is not None
    if operator == "DoesNotExist":
        return value is None
    try:
        number, bound = int(value or ""), int(values[0])
    except (ValueError, IndexError):
        return False
    return number > bound if operator == "Gt" else number < bound


def _tolerates(toleration: Object, taint: Object) -> bool:
    if toleration.get("effect") and toleration["effect"] != taint.get("effect"):
        return False
    if toleration.get("key") and toleration["key"] != taint.get("key"):
        return False
    if (toleration.get("operator") or "Equal") == "Exists":
        return True
    return bool(toleration.get("key")) and (toleration.get("value") or "") == (
        taint.get("value") or ""
    )
