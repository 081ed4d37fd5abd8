"""What a pod belongs to, guessed from the pod itself as Istio's injector does: it is not created yet."""

from __future__ import annotations

import re
from typing import NamedTuple

from meshcourse.embedded.kube import objects
from meshcourse.embedded.kube.objects import Object

_CRON_JOB = re.compile(r"^(.+)-\d{8,10}$")


class Owner(NamedTuple):
    """``apps/v1``, ``Deployment``, ``reviews-v1``."""

    api_version: str
    kind: str
    name: str


def of(pod: Object) -> Owner:
    """The workload: the Deployment behind a ReplicaSet, the CronJob behind a Job, else the controller or the pod."""
    ref = objects.owner(pod)
    if ref is None:
        return Owner(
            "v1", "Pod", objects.name(pod) or str(objects.meta(pod).get("generateName", ""))
        )
    name, version = str(ref["name"]), str(ref["apiVersion"])
    kind = str(ref["kind"])
    suffix = "-" + objects.labels(pod).get("pod-template-hash", "")
    if kind == "ReplicaSet" and len(suffix) > 1 and name.endswith(suffix):
        return Owner(version, "Deployment", name.removesuffix(suffix))
    found = _CRON_JOB.match(name)
    if kind == "Job" and found is not None:
        return Owner("batch/v1", "CronJob", found[1])
    return Owner(version, kind, name)
