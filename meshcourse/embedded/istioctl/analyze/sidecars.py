"""Sidecar resources that select the same pods, or none."""

from __future__ import annotations

from typing import Final

from meshcourse.embedded.istioctl.analyze import mesh
from meshcourse.embedded.istioctl.analyze.analyzer import Analyzer
from meshcourse.embedded.istioctl.analyze.codes import report
from meshcourse.embedded.istioctl.analyze.collection import Collection
from meshcourse.embedded.istioctl.analyze.item import Item, maps
from meshcourse.embedded.istioctl.analyze.messages import Messages

_AMBIENT_POD: Final = "selected workload is in ambient mode, the policy has no impact"
_AMBIENT_NAMESPACE: Final = "namespace is in ambient mode, the policy has no impact"


def sidecars(objects: Collection) -> Messages:
    found = objects.all("Sidecar")
    selecting = [one for one in found if _labels(one)]
    for sidecar in selecting:
        labels = _labels(sidecar)
        if not any(_selects(sidecar, pod) for pod in objects.all("Pod")):
            at = f"spec.workloadSelector.labels.{mesh.first_key(labels)}"
            name = "ReferencedResourceNotFound"
            yield report(name, sidecar, "selector", mesh.render(labels), at=at)
    for pod in objects.all("Pod"):
        yield from _pod(pod, [one for one in selecting if _selects(one, pod)])
    for namespace in sorted({one.namespace for one in found}):
        whole = [one for one in found if one.namespace == namespace and not _labels(one)]
        yield from _namespace(namespace, whole, objects)


def _labels(sidecar: Item) -> dict[str, str]:
    return maps(maps(sidecar.spec.get("workloadSelector")).get("labels"))


def _selects(sidecar: Item, pod: Item) -> bool:
    return sidecar.namespace == pod.namespace and mesh.selects(_labels(sidecar), pod.labels)


def _pod(pod: Item, found: list[Item]) -> Messages:
    if mesh.pod_ambient(pod):
        for sidecar in found:
            yield report("IneffectivePolicy", sidecar, _AMBIENT_POD)
    elif len(found) > 1:
        names = sorted(one.name for one in found)
        for sidecar in found:
            arguments = names, pod.namespace, pod.name
            kind = "ConflictingSidecarWorkloadSelectors"
            yield report(kind, sidecar, *arguments, at="metadata.name")


def _namespace(namespace: str, found: list[Item], objects: Collection) -> Messages:
    if mesh.namespace_ambient(objects.find("Namespace", "", namespace)):
        for sidecar in found:
            yield report("IneffectivePolicy", sidecar, _AMBIENT_NAMESPACE)
    elif len(found) > 1:
        names = sorted(one.name for one in found)
        for sidecar in found:
            yield report("MultipleSidecarsWithoutWorkloadSelectors", sidecar, names, namespace)


ANALYZERS: Final = (
    Analyzer(
        "sidecar.SelectorAnalyzer",
        "Validates that sidecars that define a workload selector match at least one pod, and that "
        "there aren't multiple sidecar resources that select overlapping pods",
        ("Sidecar", "Pod", "Namespace"),
        sidecars,
    ),
)
