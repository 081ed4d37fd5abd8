"""Which pods a report is about: ``--include`` and ``--exclude``. Pure."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from dataclasses import dataclass

from meshcourse.embedded.kube import objects
from meshcourse.embedded.kube.objects import Object


@dataclass(frozen=True, slots=True)
class Filter:
    """``ns1,ns2/dep1,dep2/pod1,pod2``; every part may be left out and may contain ``*``."""

    namespaces: tuple[str, ...] = ()
    deployments: tuple[str, ...] = ()
    pods: tuple[str, ...] = ()

    def covers(self, pod: Object) -> bool:
        """Whether the pod fits every part that is there."""
        return (
            _any(self.namespaces, objects.namespace(pod))
            and _any(self.deployments, deployment(pod))
            and _any(self.pods, objects.name(pod))
        )


def parse(text: str) -> Filter:
    """A filter; parts after the third (labels, annotations, containers) are not used."""
    parts = [tuple(filter(None, part.split(","))) for part in text.split("/")]
    namespaces, deployments, pods = [*parts, (), (), ()][:3]
    return Filter(namespaces, deployments, pods)


def deployment(pod: Object) -> str:
    """The Deployment that a pod belongs to, by the name of its ReplicaSet; "" if there is none."""
    owner = objects.owner(pod) or {}
    return (
        str(owner.get("name", "")).rpartition("-")[0] if owner.get("kind") == "ReplicaSet" else ""
    )


def _any(patterns: Sequence[str], name: str) -> bool:
    return not patterns or any(fnmatch.fnmatchcase(name, one) for one in patterns)


def chosen(
    pods: Sequence[Object], include: Sequence[Filter], exclude: Sequence[Filter]
) -> list[Object]:
    """Pods that fit one of `include` (if there are any) and none of `exclude`."""
    return [
        pod
        for pod in pods
        if (not include or any(one.covers(pod) for one in include))
        and not any(one.covers(pod) for one in exclude)
    ]
