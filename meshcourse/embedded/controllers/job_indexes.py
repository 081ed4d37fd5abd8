"""Jobs with ``completionMode: Indexed``: every index succeeds once. Pure.

Source: Kubernetes documentation of Jobs, "Completion mode" (annotation, label, host name and environment variable).
"""

from __future__ import annotations

from collections.abc import Iterable

from meshcourse.embedded.controllers import pods
from meshcourse.embedded.kube import objects
from meshcourse.embedded.kube.objects import Object

INDEX = "batch.kubernetes.io/job-completion-index"
_VARIABLE = "JOB_COMPLETION_INDEX"


def is_indexed(job: Object) -> bool:
    return bool(job["spec"].get("completionMode") == "Indexed")


def of(pod: Object) -> int | None:
    text = objects.annotations_of(pod).get(INDEX, "")
    return int(text) if text.isdigit() else None


def parse(text: str) -> set[int]:
    """``0,3-5`` as numbers."""
    found: set[int] = set()
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("-")
        found |= set(range(int(first), int(last or first) + 1))
    return found


def render(numbers: Iterable[int]) -> str:
    """Numbers as ``status.completedIndexes``: ``0,3-5``."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ",".join(str(a) if a == b else f"{a}{',' if b == a + 1 else '-'}{b}" for a, b in runs)


def succeeded(job: Object, owned: Iterable[Object]) -> set[int]:
    """The indexes done, by the status and by the pods."""
    done = parse(objects.dig(job, "status.completedIndexes", ""))
    fresh = {of(pod) for pod in owned if pods.phase(pod) == "Succeeded"}
    total = int(job["spec"].get("completions", 0))
    return {n for n in done | fresh if n is not None and n < total}


def free(job: Object, owned: Iterable[Object], count: int) -> list[int]:
    """The lowest `count` indexes that are neither done nor being worked on."""
    owned = list(owned)
    busy = {of(pod) for pod in owned if pods.is_active(pod)} | succeeded(job, owned)
    return [n for n in range(int(job["spec"].get("completions", 0))) if n not in busy][:count]


def mark(pod: Object, job: Object, index: int) -> Object:
    """The pod as the worker for `index`."""
    pod = objects.clone(pod)
    meta = pod["metadata"]
    name = f"{objects.name(job)}-{index}"
    meta["generateName"] = f"{name}-"
    meta.setdefault("annotations", {})[INDEX] = str(index)
    meta.setdefault("labels", {})[INDEX] = str(index)
    pod["spec"].setdefault("hostname", name)
    source = {"fieldRef": {"fieldPath": f"metadata.annotations['{INDEX}']"}}
    for field in ("initContainers", "containers"):
        for container in pod["spec"].get(field) or []:
            container.setdefault("env", []).append({"name": _VARIABLE, "valueFrom": source})
    return pod
