"""Pods → workloads.

Source: Istio's canonical service labels and its heuristic for a pod's workload name (pkg/kube).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import yaml

from meshcourse.embedded.istio import names
from meshcourse.embedded.istio.model import Workload
from meshcourse.embedded.istio.model.workload import ContainerPort
from meshcourse.embedded.kube import addresses, objects
from meshcourse.embedded.kube.objects import Key, Object

PROXY_CONTAINER: Final = "istio-proxy"
_CRON_JOB: Final = re.compile(r"^(.+)-\d{8,10}$")
_TOPOLOGY: Final = (
    "topology.kubernetes.io/region",
    "topology.kubernetes.io/zone",
    "topology.istio.io/subzone",
)
_PROXY_CONFIG: Final = "proxy.istio.io/config"
_FINISHED: Final = frozenset(("Succeeded", "Failed"))


def parse(pod: Object, nodes: Mapping[Key, str]) -> Workload | None:
    """A pod as a workload; None while it has no address or after it has finished.

    :param nodes: the localities of nodes (see `node_locality`).
    """
    where = addresses.of_pod(pod)
    if where is None or objects.dig(pod, "status.phase", "") in _FINISHED:
        return None
    labels = objects.labels(pod)
    kind, name = owner(pod)
    node = str(objects.dig(pod, "spec.nodeName", ""))
    locality = _locality(labels, nodes.get(Key("", node), ""))
    return Workload(
        namespace=objects.namespace(pod),
        name=objects.name(pod),
        addresses=where,
        labels=labels,
        annotations=objects.annotations_of(pod),
        service_account=objects.dig(pod, "spec.serviceAccountName", "default"),
        workload=name,
        workload_kind=kind,
        canonical_service=canonical_service(labels, name),
        canonical_revision=canonical_revision(labels),
        proxy=_proxy_kind(pod),
        ports=_ports(pod),
        locality=locality,
        node=node,
        topology=topology(locality, node),
        proxy_config=_proxy_config(objects.annotations_of(pod)),
    )


def _proxy_config(annotations: Mapping[str, str]) -> Mapping[str, Any]:
    """The annotation's YAML; nothing if it cannot be read."""
    text = annotations.get(_PROXY_CONFIG)
    if not text:
        return {}
    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError:
        return {}
    return found if isinstance(found, dict) else {}


def node_locality(node: Object) -> str:
    """``region/zone/subzone`` as a Node's labels say; "" without any."""
    labels = objects.labels(node)
    parts = [labels.get(key, "") for key in _TOPOLOGY]
    return "/".join(parts) if any(parts) else ""


def _locality(labels: Mapping[str, str], node: str) -> str:
    """The label ``istio-locality`` (with dots, as labels know no slashes) goes before the node's."""
    written = labels.get("istio-locality", "")
    return (written if "/" in written else written.replace(".", "/")) or node


def topology(locality: str, node: str = "") -> dict[str, str]:
    """The labels that Istio adds to those of a workload."""
    found = dict(zip(_TOPOLOGY, locality.split("/"), strict=False))
    found["kubernetes.io/hostname"] = node
    found["topology.istio.io/cluster"] = names.CLUSTER_ID
    return {key: value for key, value in found.items() if value}


def owner(pod: Object) -> tuple[str, str]:
    """Kind and name of what the user deployed: ``("Deployment", "reviews-v1")``."""
    labels = objects.labels(pod)
    kind, name = _deployed_by(pod, labels)
    return kind, labels.get("service.istio.io/workload-name") or name


def _deployed_by(pod: Object, labels: dict[str, str]) -> tuple[str, str]:
    ref = objects.owner(pod)
    if ref is None:
        return "Pod", objects.name(pod)
    kind, name = str(ref["kind"]), str(ref["name"])
    suffix = f"-{labels.get('pod-template-hash', '')}"
    if kind == "ReplicaSet" and len(suffix) > 1 and name.endswith(suffix):
        return "Deployment", name[: -len(suffix)]
    if kind == "Job" and (found := _CRON_JOB.match(name)):
        return "CronJob", found[1]
    return kind, name


def canonical_service(labels: dict[str, str], workload: str) -> str:
    """Istio's canonical service of a workload."""
    keys = ("service.istio.io/canonical-name", "app.kubernetes.io/name", "app")
    return next((labels[key] for key in keys if labels.get(key)), workload)


def canonical_revision(labels: dict[str, str]) -> str:
    """Istio's canonical revision of a workload; ``latest`` if none of its labels is set."""
    keys = ("service.istio.io/canonical-revision", "app.kubernetes.io/version", "version")
    return next((labels[key] for key in keys if labels.get(key)), "latest")


def _containers(pod: Object) -> list[Object]:
    spec = pod.get("spec") or {}
    sidecars = [one for one in spec.get("initContainers") or [] if one.get("restartPolicy")]
    return [*(spec.get("containers") or []), *sidecars]


def _proxy_kind(pod: Object) -> str:
    found = next((one for one in _containers(pod) if one.get("name") == PROXY_CONTAINER), None)
    if found is None:
        return ""
    return "router" if "router" in (found.get("args") or []) else "sidecar"


def _ports(pod: Object) -> tuple[ContainerPort, ...]:
    declared = [
        ContainerPort(int(port["containerPort"]), port.get("name", ""), port.get("protocol", "TCP"))
        for container in _containers(pod)
        if container.get("name") != PROXY_CONTAINER
        for port in container.get("ports") or []
    ]
    return tuple(sorted(set(declared), key=lambda port: (port.number, port.name)))
