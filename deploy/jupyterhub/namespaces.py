"""The hub's hook: before a learner's pod starts, the learner's namespace, quota, account and rights are there.

Runs inside the hub (``--set-file hub.extraConfig.meshcourse=…``), where ``c`` and kubespawner are. A namespace is kept
when the pod stops, as the learner's home is.
"""

from __future__ import annotations

import hashlib
import re
from typing import Any

#: What one learner may have at most: Bookinfo, its add-ons' clients and a few versions, with sidecars.
QUOTA = {
    "pods": "40",
    "requests.cpu": "2",
    "requests.memory": "4Gi",
    "limits.memory": "24Gi",
    "services.loadbalancers": "0",
}
#: What a container gets that asks for nothing.
DEFAULTS = {
    "default": {"memory": "256Mi"},
    "defaultRequest": {"cpu": "20m", "memory": "64Mi"},
}
ROOT = "istio-system"
LABELS = {"app.kubernetes.io/part-of": "meshcourse"}


def slug(user: str) -> str:
    """A name that Kubernetes accepts and no other learner has."""
    plain = re.sub(r"[^a-z0-9]+", "-", user.lower()).strip("-")[:30].strip("-")
    if plain == user:
        return plain
    return f"{plain or 'learner'}-{hashlib.sha256(user.encode()).hexdigest()[:6]}"


def objects(name: str, home: str) -> list[dict[str, Any]]:
    """Everything that belongs to a learner, in the order in which it is made.

    :param name: the learner's slug.
    :param home: the namespace in which the learner's pod runs, with its account.
    """
    space, account = f"{name}-course", f"learner-{name}"
    subject = {"kind": "ServiceAccount", "name": account, "namespace": home}
    return [
        _object("v1", "Namespace", space),
        _object("v1", "ServiceAccount", account, home),
        _object("v1", "ResourceQuota", "course", space, spec={"hard": QUOTA}),
        _object(
            "v1",
            "LimitRange",
            "course",
            space,
            spec={"limits": [{"type": "Container", **DEFAULTS}]},
        ),
        _binding(account, space, "meshcourse-learner", subject),
        _binding(account, ROOT, "meshcourse-visitor", subject),
    ]


def _object(version: str, kind: str, name: str, space: str = "", **fields: Any) -> dict[str, Any]:
    metadata = {"name": name, "labels": LABELS} | ({"namespace": space} if space else {})
    return {"apiVersion": version, "kind": kind, "metadata": metadata, **fields}


def _binding(name: str, space: str, role: str, subject: dict[str, str]) -> dict[str, Any]:
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role}
    version = "rbac.authorization.k8s.io/v1"
    return _object(version, "RoleBinding", name, space, roleRef=reference, subjects=[subject])


async def prepare(spawner: Any, core: Any, rbac: Any) -> None:
    """Make what is not there yet, and tell the pod whose it is."""
    name = slug(spawner.user.name)
    for item in objects(name, spawner.namespace):
        await _make(item, core, rbac)
    spawner.service_account = f"learner-{name}"
    # Dictionaries of traits are replaced, not changed: another learner's spawner may share this one.
    spawner.environment = {**spawner.environment, "MESHCOURSE_NAMESPACE_PREFIX": name}


async def _make(item: dict[str, Any], core: Any, rbac: Any) -> None:
    kind, space = item["kind"], item["metadata"].get("namespace")
    snake = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", kind).lower()
    api = rbac if kind == "RoleBinding" else core
    try:
        if space is None:
            await getattr(api, f"create_{snake}")(item)
        else:
            await getattr(api, f"create_namespaced_{snake}")(space, item)
    except Exception as error:
        if getattr(error, "status", None) != 409:  # 409: it is there, from an earlier start
            raise


if (
    "c" in globals()
):  # JupyterHub's configuration object: absent where this module is imported by tests
    from kubespawner.clients import shared_client

    async def _before(spawner: Any) -> None:
        await prepare(spawner, shared_client("CoreV1Api"), shared_client("RbacAuthorizationV1Api"))

    globals()["c"].KubeSpawner.pre_spawn_hook = _before
