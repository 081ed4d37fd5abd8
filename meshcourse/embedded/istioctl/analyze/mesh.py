"""Who is in the mesh, and which labels select whom."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from meshcourse.embedded.istioctl.analyze.collection import Collection
from meshcourse.embedded.istioctl.analyze.item import Item, lists, maps

PROXY: Final = "istio-proxy"
INJECT: Final = "sidecar.istio.io/inject"
INJECTION: Final = "istio-injection"
REVISION: Final = "istio.io/rev"
DATAPLANE: Final = "istio.io/dataplane-mode"
#: The gateway that stands for all sidecars.
MESH: Final = "mesh"


def selects(selector: Mapping[str, str] | None, labels: Mapping[str, str]) -> bool:
    """Whether all of the selector's pairs are labels; an empty one selects everything."""
    return (selector or {}).items() <= labels.items()


def render(selector: Mapping[str, str] | None) -> str:
    """``app=web,tier=front``."""
    return ",".join(f"{key}={value}" for key, value in sorted((selector or {}).items()))


def first_key(selector: Mapping[str, str] | None) -> str:
    """The label by which messages find the line of a selector."""
    return next(iter(sorted(selector or {})), "")


def containers(pod_spec: Mapping[str, Any], *, init: bool = True) -> list[dict[str, Any]]:
    """Containers, and init containers unless `init` is False."""
    found = lists(pod_spec.get("containers"))
    return [*found, *lists(pod_spec.get("initContainers"))] if init else list(found)


def pod_in_mesh(pod: Item, objects: Collection) -> bool:
    found = containers(pod.spec)
    return _in_mesh(pod.annotations, pod.labels, pod.namespace, found, objects)


def deployment_in_mesh(deployment: Item, objects: Collection) -> bool:
    """By its template, its namespace's label, or a proxy that was injected by hand."""
    template = maps(deployment.spec.get("template"))
    meta = maps(template.get("metadata"))
    found = containers(maps(template.get("spec")), init=False)
    notes, labels = maps(meta.get("annotations")), maps(meta.get("labels"))
    return _in_mesh(notes, labels, deployment.namespace, found, objects)


def _in_mesh(
    annotations: Mapping[str, str],
    labels: Mapping[str, str],
    namespace: str,
    found: list[dict[str, Any]],
    objects: Collection,
) -> bool:
    if any(one.get("name") == PROXY and one.get("image") for one in found):
        return True
    for source in (labels, annotations):
        if INJECT in source:
            return source[INJECT] == "true"
    home = objects.find("Namespace", "", namespace)
    return home is not None and home.labels.get(INJECTION) == "enabled"


def pod_ambient(pod: Item) -> bool:
    return pod.annotations.get("ambient.istio.io/redirection") == "enabled"


def namespace_ambient(namespace: Item | None) -> bool:
    """Labelled for ambient mode, and not for sidecars."""
    if namespace is None or namespace.labels.get(INJECTION) == "enabled":
        return False
    return not namespace.labels.get(REVISION) and namespace.labels.get(DATAPLANE) == "ambient"


def control_plane(item: Item) -> bool:
    """Whether the object is a part of Istio itself."""
    return "istio" in item.labels or item.labels.get("release") == "istio"


def injector_config(objects: Collection, revision: str) -> Mapping[str, Any]:
    """The values of the sidecar injector of a revision; {} if there is none or it does not parse."""
    suffix = f"-{revision}" if revision not in ("", "default") else ""
    for item in objects.all("ConfigMap"):
        if item.name == f"istio-sidecar-injector{suffix}":
            return injector_values(item)
    return {}


def injector_values(config: Item) -> Mapping[str, Any]:
    """The Helm values in an injector's ConfigMap."""
    try:
        return maps(json.loads(maps(config.obj.get("data")).get("values", "")))
    except ValueError:
        return {}
