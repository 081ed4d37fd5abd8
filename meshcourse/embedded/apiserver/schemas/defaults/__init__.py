"""Defaults of built-in kinds, filled in place; every function may run again on its own result.

Belongs here: what Kubernetes' defaulting functions set from the object alone. Does not belong here: what needs other
objects (allocated addresses, service accounts), status. No I/O. Source: the API reference ("Defaults to …").
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from meshcourse.embedded.apiserver.schemas.defaults import (
    cluster,
    jobs,
    networking,
    pods,
    storage,
    workloads,
)
from meshcourse.embedded.kube.objects import Object
from meshcourse.embedded.kube.refs import Resource

_ADMISSION = "admissionregistration.k8s.io"

#: By group and kind; versions of a kind share their defaults unless listed with the version.
_DEFAULTS: Final[dict[tuple[str, str], Callable[[Object], None]]] = {
    ("", "Pod"): pods.pod,
    ("", "PodTemplate"): pods.pod_template,
    ("", "ReplicationController"): workloads.replication_controller,
    ("", "Service"): networking.service,
    ("", "Endpoints"): networking.endpoints,
    ("", "Secret"): cluster.secret,
    ("", "Namespace"): cluster.namespace,
    ("", "Node"): cluster.node,
    ("", "LimitRange"): cluster.limit_range,
    ("", "PersistentVolume"): storage.persistent_volume,
    ("", "PersistentVolumeClaim"): storage.persistent_volume_claim,
    ("apps", "Deployment"): workloads.deployment,
    ("apps", "ReplicaSet"): workloads.replica_set,
    ("apps", "StatefulSet"): workloads.stateful_set,
    ("apps", "DaemonSet"): workloads.daemon_set,
    ("batch", "Job"): jobs.job,
    ("batch", "CronJob"): jobs.cron_job,
    ("autoscaling", "HorizontalPodAutoscaler"): workloads.horizontal_pod_autoscaler,
    ("discovery.k8s.io", "EndpointSlice"): networking.endpoint_slice,
    ("networking.k8s.io", "NetworkPolicy"): networking.network_policy,
    ("networking.k8s.io", "IngressClass"): networking.ingress_class,
    ("rbac.authorization.k8s.io", "RoleBinding"): cluster.role_binding,
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"): cluster.role_binding,
    ("storage.k8s.io", "StorageClass"): storage.storage_class,
    ("storage.k8s.io", "CSIDriver"): storage.csi_driver,
    ("scheduling.k8s.io", "PriorityClass"): cluster.priority_class,
    (_ADMISSION, "MutatingWebhookConfiguration"): cluster.mutating_webhooks,
    (_ADMISSION, "ValidatingWebhookConfiguration"): cluster.validating_webhooks,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): cluster.custom_resource_definition,
    ("apiregistration.k8s.io", "APIService"): cluster.api_service,
}


def apply(resource: Resource, obj: Object) -> None:
    """Fill in the defaults of `resource`'s kind."""
    found = _DEFAULTS.get((resource.group, resource.kind))
    if found is not None:
        found(obj)
