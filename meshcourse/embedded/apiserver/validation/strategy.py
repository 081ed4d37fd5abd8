"""What the system sets when an object is created or replaced: initial status, generation, identity of jobs.

Source: the create and update strategies of the API server's registries.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Final

from meshcourse.embedded.apiserver.schemas import kinds
from meshcourse.embedded.apiserver.validation import quantities
from meshcourse.embedded.kube import objects
from meshcourse.embedded.kube.objects import Object
from meshcourse.embedded.kube.refs import Resource

#: Built-in kinds whose ``metadata.generation`` counts changes of what is wanted.
_COUNTED: Final = frozenset(
    {
        "Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "ReplicationController", "Job", "CronJob", "Pod",
        "PodDisruptionBudget", "Ingress", "IngressClass", "NetworkPolicy", "EndpointSlice",
        "CustomResourceDefinition", "MutatingWebhookConfiguration", "ValidatingWebhookConfiguration",
        "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding", "FlowSchema", "PriorityLevelConfiguration",
    }
)  # fmt: skip
_POD_TOLERATIONS: Final = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")
_JOB_UID: Final = "batch.kubernetes.io/controller-uid"
_JOB_NAME: Final = "batch.kubernetes.io/job-name"


def prepare_create(
    resource: Resource, obj: Object, *, status_subresource: bool | None = None
) -> None:
    """Initial status and generation, in place. Runs after defaulting; ``metadata.uid`` is already set.

    :param status_subresource: whether status is written apart (None: as the built-in kind has it).
    """
    if _apart(resource, status_subresource) and resource.kind != "Node":
        obj.pop("status", None)  # nodes register themselves with their status
    if _counted(resource):
        objects.meta(obj)["generation"] = 1
    begin = _BEGIN.get((resource.group, resource.kind))
    if begin is not None:
        begin(obj)


def prepare_update(
    resource: Resource, obj: Object, old: Object, *, status_subresource: bool | None = None
) -> None:
    """Keep what an update may not touch and count the generation, in place."""
    if _apart(resource, status_subresource):
        obj.pop("status", None)
        if "status" in old:
            obj["status"] = old["status"]
    proceed = _PROCEED.get((resource.group, resource.kind))
    if proceed is not None:
        proceed(obj, old)
    if _counted(resource):
        _count(resource, obj, old)


def _apart(resource: Resource, status_subresource: bool | None) -> bool:
    builtin = kinds.find(resource)
    if status_subresource is not None or builtin is None:
        return bool(status_subresource)
    return "status" in builtin.subresources


def _counted(resource: Resource) -> bool:
    return resource.kind in _COUNTED or kinds.find(resource) is None


def _count(resource: Resource, obj: Object, old: Object) -> None:
    """Everything but metadata and status counts; for Deployments annotations count as well."""
    generation = int(objects.dig(old, "metadata.generation", 1))
    changed = _wanted(obj) != _wanted(old)
    if resource.kind == "Deployment":
        changed = changed or objects.annotations_of(obj) != objects.annotations_of(old)
    objects.meta(obj)["generation"] = generation + 1 if changed else generation


def _wanted(obj: Object) -> Object:
    return {
        key: value
        for key, value in obj.items()
        if key not in ("metadata", "status", "kind", "apiVersion")
    }


def _pod(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    obj["status"] = {"phase": "Pending", "qosClass": quantities.qos_class(spec)}
    spec.setdefault("priority", 0)
    spec.setdefault("preemptionPolicy", "PreemptLowerPriority")
    tolerations = spec.setdefault("tolerations", [])
    tolerated = {
        each.get("key", "")
        for each in tolerations
        if each.get("effect", "NoExecute") == "NoExecute"
    }
    for key in _POD_TOLERATIONS:
        if key not in tolerated and "" not in tolerated:
            tolerations.append(
                {"effect": "NoExecute", "key": key, "operator": "Exists", "tolerationSeconds": 300}
            )


def _namespace(obj: Object) -> None:
    obj["status"] = {"phase": "Active"}
    finalizers = obj.setdefault("spec", {}).setdefault("finalizers", [])
    if "kubernetes" not in finalizers:
        finalizers.append("kubernetes")


def _service(obj: Object) -> None:
    obj["status"] = {"loadBalancer": {}}


def _pending(obj: Object) -> None:
    obj["status"] = {"phase": "Pending"}


def _crd(obj: Object) -> None:
    versions = objects.dig(obj, "spec.versions", [])
    stored = [each.get("name", "") for each in versions if each.get("storage")]
    obj["status"] = {"storedVersions": stored}


def _job(obj: Object) -> None:
    """A job finds its pods by its own uid, unless somebody insists on a selector."""
    spec = obj["spec"]
    if spec.get("manualSelector"):
        return
    metadata = objects.meta(obj)
    identity = metadata.setdefault("uid", str(uuid.uuid4()))
    labels = spec["template"].setdefault("metadata", {}).setdefault("labels", {})
    for key, value in (
        (_JOB_UID, identity),
        (_JOB_NAME, metadata.get("name", "")),
        ("controller-uid", identity),
        ("job-name", metadata.get("name", "")),
    ):
        labels.setdefault(key, value)
    spec.setdefault("selector", {}).setdefault("matchLabels", {}).setdefault(_JOB_UID, identity)


def _initial_status(obj: Object) -> None:
    obj["status"] = {}


def _load_balancer(obj: Object) -> None:
    obj["status"] = {"loadBalancer": {}}


_BEGIN: Final[dict[tuple[str, str], Callable[[Object], None]]] = {
    ("", "Pod"): _pod,
    ("", "Namespace"): _namespace,
    ("", "Service"): _service,
    ("", "PersistentVolume"): _pending,
    ("", "PersistentVolumeClaim"): _pending,
    ("apps", "Deployment"): _initial_status,
    ("batch", "Job"): _job,
    ("networking.k8s.io", "Ingress"): _load_balancer,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): _crd,
}


def _keep_finalizers(obj: Object, old: Object) -> None:
    """A namespace's own finalizers change only through ``finalize``."""
    kept = objects.dig(old, "spec.finalizers")
    spec = obj.setdefault("spec", {})
    if kept is not None:
        spec["finalizers"] = kept


def _keep_addresses(obj: Object, old: Object) -> None:
    """A Service replaced without addresses keeps those it has; one that needs none any more loses them."""
    new, before = obj["spec"], old["spec"]
    if new.get("type") == "ExternalName":
        if before.get("type") != "ExternalName" and new.get("clusterIP") == before.get("clusterIP"):
            new.pop("clusterIP", None)
            new.pop("clusterIPs", None)
        for field in ("ipFamilies", "ipFamilyPolicy", "internalTrafficPolicy"):
            new.pop(field, None)
    elif before.get("type") != "ExternalName" and not new.get("clusterIP"):
        for field in ("clusterIP", "clusterIPs"):
            if before.get(field):
                new[field] = before[field]
    if "healthCheckNodePort" in before and new.get("externalTrafficPolicy") == "Local":
        new.setdefault("healthCheckNodePort", before["healthCheckNodePort"])
    _node_ports(new, before)


def _node_ports(new: Object, before: Object) -> None:
    exposed = new.get("type") in ("NodePort", "LoadBalancer")
    kept = {_port_key(port): port.get("nodePort") for port in before.get("ports") or ()}
    for port in new.get("ports") or ():
        had = kept.get(_port_key(port))
        if exposed and had and not port.get("nodePort"):
            port["nodePort"] = had
        elif not exposed and had and port.get("nodePort") == had:
            del port["nodePort"]


def _port_key(port: Object) -> tuple[str, object]:
    return port.get("protocol", "TCP"), port.get("port")


def _stored_versions(obj: Object, old: Object) -> None:
    """A definition remembers every version that was ever the stored one."""
    status = dict(old.get("status") or {})
    stored = list(status.get("storedVersions") or ())
    for version in objects.dig(obj, "spec.versions", []):
        if version.get("storage") and version.get("name") not in stored:
            stored.append(version.get("name", ""))
    obj["status"] = {**status, "storedVersions": stored}


_PROCEED: Final[dict[tuple[str, str], Callable[[Object, Object], None]]] = {
    ("", "Namespace"): _keep_finalizers,
    ("", "Service"): _keep_addresses,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): _stored_versions,
}
