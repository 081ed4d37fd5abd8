"""The built-in kinds whose objects live in namespaces or take part in ownership.

Source: API reference of Kubernetes 1.33 (kinds that can be listed, watched and deleted). Events are left out of
ownership by the garbage collector, but not out of namespaces.
"""

from __future__ import annotations

from meshcourse.embedded.kube import objects, refs
from meshcourse.embedded.kube.objects import Object
from meshcourse.embedded.kube.refs import Resource

_RBAC = "rbac.authorization.k8s.io"

BUILT_IN: tuple[Resource, ...] = (
    refs.CONFIGMAPS,
    refs.ENDPOINTS,
    refs.EVENTS,
    Resource("", "v1", "limitranges", "LimitRange"),
    refs.NAMESPACES,
    refs.NODES,
    Resource("", "v1", "persistentvolumeclaims", "PersistentVolumeClaim"),
    Resource("", "v1", "persistentvolumes", "PersistentVolume", namespaced=False),
    refs.PODS,
    Resource("", "v1", "podtemplates", "PodTemplate"),
    Resource("", "v1", "replicationcontrollers", "ReplicationController"),
    Resource("", "v1", "resourcequotas", "ResourceQuota"),
    refs.SECRETS,
    refs.SERVICEACCOUNTS,
    refs.SERVICES,
    Resource("apps", "v1", "controllerrevisions", "ControllerRevision"),
    refs.DAEMONSETS,
    refs.DEPLOYMENTS,
    refs.REPLICASETS,
    refs.STATEFULSETS,
    refs.HPAS,
    refs.JOBS,
    refs.CRONJOBS,
    refs.LEASES,
    refs.ENDPOINTSLICES,
    refs.INGRESSES,
    refs.INGRESSCLASSES,
    Resource("networking.k8s.io", "v1", "networkpolicies", "NetworkPolicy"),
    Resource("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget"),
    Resource(_RBAC, "v1", "roles", "Role"),
    Resource(_RBAC, "v1", "rolebindings", "RoleBinding"),
    Resource(_RBAC, "v1", "clusterroles", "ClusterRole", namespaced=False),
    Resource(_RBAC, "v1", "clusterrolebindings", "ClusterRoleBinding", namespaced=False),
    refs.CRDS,
    refs.MUTATING_WEBHOOKS,
    refs.VALIDATING_WEBHOOKS,
)


def of_crd(crd: Object) -> Resource | None:
    """The kind that an established CustomResourceDefinition serves, in its storage version; else None."""
    conditions = objects.dig(crd, "status.conditions", [])
    if not any(c["type"] == "Established" and c["status"] == "True" for c in conditions):
        return None
    spec = crd["spec"]
    served = [version for version in spec["versions"] if version.get("served")]
    if not served:
        return None
    best = next((version for version in served if version.get("storage")), served[0])
    names = spec["names"]
    scope = spec.get("scope", "Namespaced")
    return Resource(
        spec["group"], best["name"], names["plural"], names["kind"], scope == "Namespaced"
    )
