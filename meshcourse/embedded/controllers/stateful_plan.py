"""What a StatefulSet does next. Pure.

Source: Kubernetes documentation of StatefulSets: stable ordinals, creation in order and deletion in reverse, each
waiting for the one before (unless ``podManagementPolicy: Parallel``), updates from the highest ordinal down to the
partition.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field

from meshcourse.embedded.controllers import pods
from meshcourse.embedded.controllers.controller_revisions import HASH
from meshcourse.embedded.kube import objects
from meshcourse.embedded.kube.objects import Object

_ORDINAL = re.compile(r"-(\d+)$")


@dataclass(slots=True)
class Step:
    """Ordinals to create and pods to delete now."""

    create: list[int] = field(default_factory=list)
    delete: list[Object] = field(default_factory=list)


def ordinal(pod: Object) -> int:
    """The number at the end of the pod's name; -1 for none."""
    match = _ORDINAL.search(objects.name(pod))
    return int(match[1]) if match else -1


def wanted(owner: Object) -> range:
    start = int(objects.dig(owner, "spec.ordinals.start", 0))
    return range(start, start + int(objects.dig(owner, "spec.replicas", 1)))


def partition(owner: Object) -> int:
    """Pods with a lower ordinal keep the old revision."""
    return int(objects.dig(owner, "spec.updateStrategy.rollingUpdate.partition", 0))


def revision_of(pod: Object) -> str:
    return objects.labels(pod).get(HASH, "")


def step(owner: Object, owned: list[Object], update: str) -> Step:
    """The next step towards `owner`, whose newest revision is `update`.

    As in Kubernetes, with ordered pods a pod that never becomes ready holds up everything, even its own replacement.
    """
    ordered = objects.dig(owner, "spec.podManagementPolicy", "OrderedReady") == "OrderedReady"
    by_ordinal = {ordinal(pod): pod for pod in owned}
    found = Step()
    if not _fill(found, owner, by_ordinal, ordered):
        return found
    surplus = sorted((n for n in by_ordinal if n not in wanted(owner)), reverse=True)
    for number in surplus[:1] if ordered else surplus:
        if not objects.deleting(by_ordinal[number]):
            found.delete.append(by_ordinal[number])
    if not (surplus or found.create or found.delete):
        found.delete += _outdated(owner, by_ordinal, update)
    return found


def _fill(found: Step, owner: Object, by_ordinal: dict[int, Object], ordered: bool) -> bool:
    """Missing ordinals, and finished pods to be made anew; False if the next ordinal has to wait."""
    for number in wanted(owner):
        pod = by_ordinal.get(number)
        if pod is None:
            found.create.append(number)
        elif pods.is_finished(pod) and not objects.deleting(pod):
            found.delete.append(pod)
        if ordered and (pod is None or not _healthy(owner, pod)):
            return False
    return True


def _outdated(owner: Object, by_ordinal: dict[int, Object], update: str) -> list[Object]:
    """The highest outdated pod, provided that all above it are updated and healthy."""
    strategy = objects.dig(owner, "spec.updateStrategy.type", "RollingUpdate")
    if strategy != "RollingUpdate":
        return []
    for number in reversed(wanted(owner)):
        pod = by_ordinal.get(number)
        if pod is None or objects.deleting(pod):
            return []
        if number >= partition(owner) and revision_of(pod) != update:
            return [pod]
        if not _healthy(owner, pod):
            return []
    return []


def _healthy(owner: Object, pod: Object) -> bool:
    min_ready = int(objects.dig(owner, "spec.minReadySeconds", 0))
    running = pods.phase(pod) == "Running" and not objects.deleting(pod)
    return running and pods.is_available(pod, min_ready, time.time())
