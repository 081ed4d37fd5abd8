"""Tables: what ``kubectl get`` prints, computed by the server.

Belongs here: columns and rows by kind, ages, pod status, printer columns of custom resources. Does not belong here:
HTTP, selection of objects. No I/O. Source: the API server's printers (columns and wording are facts re-stated).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

from meshcourse.embedded.apiserver.tables import (
    cluster,
    columns,
    custom,
    networking,
    pods,
    policies,
    rare,
    storage,
    workloads,
)
from meshcourse.embedded.kube.objects import Object
from meshcourse.embedded.kube.refs import Resource

#: The query parameter ``includeObject``.
Include = Literal["None", "Metadata", "Object"]

_ADMISSION = "admissionregistration.k8s.io"
_RBAC = "rbac.authorization.k8s.io"
_PRINTERS = {
    ("", "Pod"): pods.PRINTER,
    ("", "PodTemplate"): pods.TEMPLATE_PRINTER,
    ("", "Service"): networking.SERVICE,
    ("", "Endpoints"): networking.ENDPOINTS,
    ("", "ComponentStatus"): rare.COMPONENT_STATUS,
    ("", "Node"): cluster.NODE,
    ("", "Namespace"): cluster.NAMESPACE,
    ("", "ConfigMap"): cluster.CONFIG_MAP,
    ("", "Secret"): cluster.SECRET,
    ("", "ServiceAccount"): cluster.SERVICE_ACCOUNT,
    ("", "Event"): cluster.EVENT,
    ("", "ReplicationController"): workloads.REPLICATION_CONTROLLER,
    ("", "PersistentVolume"): storage.VOLUME,
    ("", "PersistentVolumeClaim"): storage.CLAIM,
    ("", "ResourceQuota"): policies.RESOURCE_QUOTA,
    ("events.k8s.io", "Event"): cluster.EVENTS_EVENT,
    ("apps", "Deployment"): workloads.DEPLOYMENT,
    ("apps", "ReplicaSet"): workloads.REPLICA_SET,
    ("apps", "StatefulSet"): workloads.STATEFUL_SET,
    ("apps", "DaemonSet"): workloads.DAEMON_SET,
    ("apps", "ControllerRevision"): workloads.CONTROLLER_REVISION,
    ("batch", "Job"): workloads.JOB,
    ("batch", "CronJob"): workloads.CRON_JOB,
    ("autoscaling", "HorizontalPodAutoscaler"): policies.AUTOSCALER,
    ("policy", "PodDisruptionBudget"): policies.DISRUPTION_BUDGET,
    ("discovery.k8s.io", "EndpointSlice"): networking.ENDPOINT_SLICE,
    ("networking.k8s.io", "Ingress"): networking.INGRESS,
    ("networking.k8s.io", "IngressClass"): networking.INGRESS_CLASS,
    ("networking.k8s.io", "NetworkPolicy"): networking.NETWORK_POLICY,
    ("networking.k8s.io", "IPAddress"): networking.IP_ADDRESS,
    ("networking.k8s.io", "ServiceCIDR"): networking.SERVICE_CIDR,
    ("coordination.k8s.io", "Lease"): cluster.LEASE,
    ("certificates.k8s.io", "CertificateSigningRequest"): cluster.CERTIFICATE_REQUEST,
    ("node.k8s.io", "RuntimeClass"): cluster.RUNTIME_CLASS,
    ("scheduling.k8s.io", "PriorityClass"): cluster.PRIORITY_CLASS,
    ("storage.k8s.io", "StorageClass"): storage.STORAGE_CLASS,
    ("storage.k8s.io", "CSIDriver"): rare.CSI_DRIVER,
    ("storage.k8s.io", "CSINode"): rare.CSI_NODE,
    ("storage.k8s.io", "VolumeAttachment"): rare.VOLUME_ATTACHMENT,
    ("apiregistration.k8s.io", "APIService"): cluster.API_SERVICE,
    ("metrics.k8s.io", "PodMetrics"): policies.POD_METRICS,
    ("metrics.k8s.io", "NodeMetrics"): policies.NODE_METRICS,
    (_ADMISSION, "MutatingWebhookConfiguration"): cluster.WEBHOOKS,
    (_ADMISSION, "ValidatingWebhookConfiguration"): cluster.WEBHOOKS,
    (_ADMISSION, "ValidatingAdmissionPolicy"): rare.ADMISSION_POLICY,
    (_ADMISSION, "ValidatingAdmissionPolicyBinding"): rare.ADMISSION_POLICY_BINDING,
    (_RBAC, "RoleBinding"): policies.ROLE_BINDING,
    (_RBAC, "ClusterRoleBinding"): policies.ROLE_BINDING,
}


def table(
    resource: Resource,
    objects: Iterable[Object],
    *,
    crd_columns: Sequence[Object] | None = None,
    include: Include = "Metadata",
) -> Object:
    """A ``meta.k8s.io/v1`` Table of `objects`; its ``metadata`` is empty, for the caller to fill.

    :param crd_columns: ``additionalPrinterColumns`` of a custom resource's version ([] if it declares none), None
        for a built-in kind.
    :param include: what each row carries of its object.
    """
    printer = _printer(resource, crd_columns)
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": {},
        "columnDefinitions": printer.definitions,
        "rows": [_row(printer, obj, include) for obj in objects],
    }


def _printer(resource: Resource, crd_columns: Sequence[Object] | None) -> columns.Printer:
    if crd_columns is not None:
        return custom.printer(crd_columns)
    return _PRINTERS.get((resource.group, resource.kind), cluster.CREATED_AT)


def _row(printer: columns.Printer, obj: Object, include: Include) -> Object:
    row: Object = {"cells": printer.row(obj)}
    if include == "Object":
        row["object"] = obj
    elif include == "Metadata":
        row["object"] = {
            "kind": "PartialObjectMetadata",
            "apiVersion": "meta.k8s.io/v1",
            "metadata": obj.get("metadata") or {},
        }
    return row
