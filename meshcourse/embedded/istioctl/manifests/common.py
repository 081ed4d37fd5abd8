"""Small pieces of every object that is installed."""

from __future__ import annotations

from typing import Any

from meshcourse import versions
from meshcourse.embedded.kube.objects import Object

NAMESPACE = "istio-system"


def labels(component: str, revision: str = "", **more: str) -> dict[str, str]:
    """Labels by which an installation is recognised (and removed)."""
    return {
        **more,
        "istio.io/rev": revision or "default",
        "install.operator.istio.io/owning-resource": "unknown",
        "operator.istio.io/component": component,
        "operator.istio.io/managed": "Reconcile",
        "operator.istio.io/version": versions.ISTIO,
        "app.kubernetes.io/part-of": "istio",
        "app.kubernetes.io/managed-by": "istioctl",
        "release": "istio",
    }


def build(
    api_version: str,
    kind: str,
    name: str,
    labels_: dict[str, str],
    namespace: str = "",
    **fields: Any,
) -> Object:
    """An object; `fields` are its top-level fields."""
    metadata: Object = {"name": name}
    if namespace:
        metadata["namespace"] = namespace
    return {
        "apiVersion": api_version,
        "kind": kind,
        "metadata": {**metadata, "labels": labels_},
        **fields,
    }


def rule(groups: str, resources: str, verbs: str) -> Object:
    """An RBAC rule from comma-separated words; "core" is the group without a name."""
    return {
        "apiGroups": ["" if group == "core" else group for group in groups.split(",")],
        "resources": resources.split(","),
        "verbs": verbs.split(","),
    }


def binding(
    kind: str, name: str, account: str, labels_: dict[str, str], namespace: str = ""
) -> Object:
    """A RoleBinding or ClusterRoleBinding of a role of the same name in our namespace."""
    role = kind.removesuffix("Binding")
    return build(
        "rbac.authorization.k8s.io/v1",
        kind,
        name,
        labels_,
        namespace,
        roleRef={"apiGroup": "rbac.authorization.k8s.io", "kind": role, "name": name},
        subjects=[{"kind": "ServiceAccount", "name": account, "namespace": NAMESPACE}],
    )


def field_env(name: str, path: str) -> Object:
    return {"name": name, "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": path}}}


def plain_env(name: str, value: str) -> Object:
    return {"name": name, "value": value}
