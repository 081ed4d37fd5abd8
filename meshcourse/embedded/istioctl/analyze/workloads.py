"""Pods and Deployments: the user that only the proxy may be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from meshcourse.embedded.istioctl.analyze import mesh
from meshcourse.embedded.istioctl.analyze.analyzer import Analyzer
from meshcourse.embedded.istioctl.analyze.codes import report
from meshcourse.embedded.istioctl.analyze.collection import Collection
from meshcourse.embedded.istioctl.analyze.item import maps
from meshcourse.embedded.istioctl.analyze.messages import Messages

PROXY_USER: Final = 1337
_OWN: Final = frozenset((mesh.PROXY, "istio-operator"))


def users(objects: Collection) -> Messages:
    """Traffic of user 1337 is not captured, for it is the proxy's own."""
    for item in (*objects.all("Pod"), *objects.all("Deployment")):
        template = maps(maps(item.spec.get("template")).get("spec"))
        if not mesh.control_plane(item) and reserved(template or item.spec):
            yield report("InvalidApplicationUID", item)


def reserved(pod_spec: Mapping[str, Any]) -> bool:
    """Whether a pod, or a container other than the proxy, runs as the proxy's user."""
    others = (one for one in mesh.containers(pod_spec, init=False) if one.get("name") not in _OWN)
    return any(
        maps(one.get("securityContext")).get("runAsUser") == PROXY_USER
        for one in (pod_spec, *others)
    )


ANALYZERS: Final = (
    Analyzer(
        "applicationUID.Analyzer", "Checks invalid application UID", ("Pod", "Deployment"), users
    ),
)
