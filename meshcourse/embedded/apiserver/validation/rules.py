"""Which rules apply to which kind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from meshcourse.embedded.apiserver.schemas.report import Report
from meshcourse.embedded.apiserver.validation import (
    access,
    config,
    crds,
    jobs,
    meta,
    names,
    networking,
    pods,
    services,
    storage,
    webhooks,
    workloads,
)
from meshcourse.embedded.apiserver.validation.names import Rule
from meshcourse.embedded.kube import objects
from meshcourse.embedded.kube.objects import Object
from meshcourse.embedded.kube.refs import Resource
from meshcourse.embedded.kube.status import Cause

#: Checks an object (as a successor of the old one) and reports.
Check = Callable[[Report, Object, Object | None], None]

_ADMISSION = "admissionregistration.k8s.io"
_RBAC = "rbac.authorization.k8s.io"
_CHECKS: Final[dict[tuple[str, str], Check]] = {
    ("", "Pod"): pods.pod,
    ("", "Service"): services.service,
    ("", "Endpoints"): services.endpoints,
    ("", "ConfigMap"): config.config_map,
    ("", "Secret"): config.secret,
    ("", "Event"): config.event,
    ("", "ResourceQuota"): config.resource_quota,
    ("", "LimitRange"): config.limit_range,
    ("", "ReplicationController"): workloads.replication_controller,
    ("", "PersistentVolume"): storage.volume,
    ("", "PersistentVolumeClaim"): storage.claim,
    ("apps", "Deployment"): workloads.deployment,
    ("apps", "ReplicaSet"): workloads.replica_set,
    ("apps", "StatefulSet"): workloads.stateful_set,
    ("apps", "DaemonSet"): workloads.daemon_set,
    ("batch", "Job"): jobs.job,
    ("batch", "CronJob"): jobs.cron_job,
    ("autoscaling", "HorizontalPodAutoscaler"): jobs.horizontal_pod_autoscaler,
    ("discovery.k8s.io", "EndpointSlice"): services.endpoint_slice,
    ("networking.k8s.io", "Ingress"): networking.ingress,
    ("networking.k8s.io", "IngressClass"): networking.ingress_class,
    ("networking.k8s.io", "NetworkPolicy"): networking.network_policy,
    ("coordination.k8s.io", "Lease"): config.lease,
    ("policy", "PodDisruptionBudget"): access.disruption_budget,
    ("scheduling.k8s.io", "PriorityClass"): config.priority_class,
    ("storage.k8s.io", "StorageClass"): storage.storage_class,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): crds.definition,
    (_ADMISSION, "MutatingWebhookConfiguration"): webhooks.mutating,
    (_ADMISSION, "ValidatingWebhookConfiguration"): webhooks.validating,
    (_RBAC, "Role"): access.role,
    (_RBAC, "ClusterRole"): access.cluster_role,
    (_RBAC, "RoleBinding"): access.role_binding,
    (_RBAC, "ClusterRoleBinding"): access.cluster_role_binding,
}
_NAME_RULES: Final[dict[tuple[str, str], Rule]] = {
    ("", "Service"): names.dns1035_label,
    ("", "Namespace"): names.dns1123_label,
    (_RBAC, "Role"): names.path_segment,
    (_RBAC, "ClusterRole"): names.path_segment,
    (_RBAC, "RoleBinding"): names.path_segment,
    (_RBAC, "ClusterRoleBinding"): names.path_segment,
}


def validate(resource: Resource, new: Object, old: Object | None) -> list[Cause]:
    """Everything wrong with `new`, as a creation (`old` is None) or as an update of `old`; [] if nothing is.

    Custom resources are checked for metadata only: the rest is their schema's business.
    """
    report = Report()
    key = resource.group, resource.kind
    metadata = objects.meta(new)
    if old is None:
        rule = _NAME_RULES.get(key, names.dns1123_subdomain)
        meta.create(report, metadata, namespaced=resource.namespaced, rule=rule)
    else:
        meta.update(report, metadata, objects.meta(old))
    check = _CHECKS.get(key)
    if check is not None:
        check(report, new, old)
    return report.causes
