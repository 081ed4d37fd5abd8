"""What to scrape: pods that ask for it by annotation, as the job ``kubernetes-pods`` of Istio's sample add-on does.

Annotations ``prometheus.io/scrape``, ``prometheus.io/port``, ``prometheus.io/path``. Labels of a target: ``job``,
``instance``, ``namespace``, ``pod``, ``node`` and the pod's own labels, characters that PromQL does not
know replaced.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from meshcourse.embedded.kube import addresses, objects
from meshcourse.embedded.kube.objects import Object

JOB = "kubernetes-pods"
_ODD = re.compile(r"[^a-zA-Z0-9_]")


@dataclass(frozen=True, slots=True)
class Target:
    """Where one pod shows its metrics and which labels its series get."""

    url: str
    labels: tuple[tuple[str, str], ...]

    @property
    def pod(self) -> str:
        """``namespace/name``"""
        found = dict(self.labels)
        return f"{found['namespace']}/{found['pod']}"


def of_pod(pod: Object) -> Target | None:
    """The target of a pod; None if it asks for nothing, does not run, or has no address yet."""
    asked = objects.annotations_of(pod)
    if asked.get("prometheus.io/scrape") != "true":
        return None
    if objects.dig(pod, "status.phase") != "Running" or addresses.of_pod(pod) is None:
        return None
    port = asked.get("prometheus.io/port", "")
    if not port.isdigit():
        return None
    host, real = addresses.pod_endpoint(pod, int(port))
    path = asked.get("prometheus.io/path", "/metrics")
    own = {_ODD.sub("_", name): value for name, value in objects.labels(pod).items()}
    fixed = {
        "job": JOB,
        "instance": f"{host}:{real}",
        "namespace": objects.namespace(pod),
        "pod": objects.name(pod),
        "node": objects.dig(pod, "spec.nodeName", ""),
    }
    return Target(f"http://{host}:{real}{path}", tuple(sorted({**own, **fixed}.items())))
