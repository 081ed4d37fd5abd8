"""Objects for the tests of rules, and what is wrong with them."""

from __future__ import annotations

import copy
from typing import Any

from meshcourse.embedded.apiserver import schemas, validation
from meshcourse.embedded.kube.objects import Object
from meshcourse.embedded.kube.refs import Resource

PVCS = Resource("", "v1", "persistentvolumeclaims", "PersistentVolumeClaim")
PVS = Resource("", "v1", "persistentvolumes", "PersistentVolume", namespaced=False)
RBAC = "rbac.authorization.k8s.io"
ROLES = Resource(RBAC, "v1", "roles", "Role")
ROLE_BINDINGS = Resource(RBAC, "v1", "rolebindings", "RoleBinding")
PDBS = Resource("policy", "v1", "poddisruptionbudgets", "PodDisruptionBudget")
POLICIES = Resource("networking.k8s.io", "v1", "networkpolicies", "NetworkPolicy")
#: What is said of a port that is none.
PORT_RANGE = "must be between 1 and 65535, inclusive"


def admitted(resource: Resource, obj: Object) -> Object:
    """As the API server has it before validation: decoded, with defaults and initial state."""
    made = copy.deepcopy(obj)
    metadata = made.setdefault("metadata", {})
    metadata.setdefault("name", "x")
    metadata.setdefault("uid", "11111111-2222-3333-4444-555555555555")
    if resource.namespaced:
        metadata.setdefault("namespace", "default")
    schema = schemas.for_builtin(resource)
    schema.decode(made, mode="Strict")
    schema.default(made)
    validation.prepare_create(resource, made)
    return made


def wrong(resource: Resource, obj: Object) -> list[str]:
    causes = validation.validate(resource, admitted(resource, obj), None)
    return [f"{cause.field}: {cause.message}" for cause in causes]


def wrong_update(resource: Resource, old: Object, new: Object) -> list[str]:
    before, after = admitted(resource, old), admitted(resource, new)
    validation.prepare_update(resource, after, before)
    return [
        f"{cause.field}: {cause.message}" for cause in validation.validate(resource, after, before)
    ]


def pod(**container: Any) -> Object:
    return {"spec": {"containers": [{"name": "a", "image": "b", **container}]}}


def pod_spec(**spec: Any) -> Object:
    return {"spec": {"containers": [{"name": "a", "image": "b"}], **spec}}


def deployment(labels: Object | None = None, **spec: Any) -> Object:
    template = {"metadata": {"labels": labels or {"app": "x"}}, **pod()}
    return {"spec": {"selector": {"matchLabels": {"app": "x"}}, "template": template, **spec}}


def service(**spec: Any) -> Object:
    return {"spec": {"ports": [{"port": 80}], **spec}}
