"""Pods run as a service account, whose token is mounted into every container.

Source: the ServiceAccount admission plugin. It may run again after webhooks have added containers.
"""

from __future__ import annotations

from meshcourse.embedded.apiserver.admission.attributes import Attributes
from meshcourse.embedded.apiserver.rest import metadata
from meshcourse.embedded.apiserver.store.store import Store
from meshcourse.embedded.kube import objects, refs, status
from meshcourse.embedded.kube.objects import Object

_DEFAULT = "default"
_MOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
_VOLUME = "kube-api-access-"
_EXPIRATION = 3607
_MIRROR = "kubernetes.io/config.mirror"


class ServiceAccounts:
    def __init__(self, store: Store) -> None:
        self._store = store

    def admit(self, attributes: Attributes) -> None:
        """Fill in account, pull secrets, token volume and mounts of a new pod."""
        call, pod = attributes.call, attributes.object
        concerned = call.kind.key == refs.PODS.qualified and attributes.operation == "CREATE"
        if not concerned or call.subresource or pod is None:
            return
        if _MIRROR in objects.annotations_of(pod):
            return
        spec = pod["spec"]
        name = spec.get("serviceAccountName") or spec.get("serviceAccount") or _DEFAULT
        spec["serviceAccountName"] = spec["serviceAccount"] = name
        account = self._account(attributes, name)
        if not spec.get("imagePullSecrets") and account.get("imagePullSecrets"):
            spec["imagePullSecrets"] = account["imagePullSecrets"]
        if _mounts(spec, account):
            _mount(spec)

    def validate(self, attributes: Attributes) -> None:
        """Nothing more: `admit` has looked already."""

    def _account(self, attributes: Attributes, name: str) -> Object:
        namespace = attributes.namespace
        found = self._store.get(refs.SERVICEACCOUNTS.qualified, namespace, name)
        if found is None and name != _DEFAULT:
            why = (
                f"error looking up service account {namespace}/{name}: serviceaccount "
                f'"{name}" not found'
            )
            raise status.forbidden(refs.PODS, attributes.name, why)
        # The default account of a new namespace is made by a controller a moment later; a manifest that brings both
        # namespace and pods should not depend on who is faster.
        return found or {}


def _mounts(spec: Object, account: Object) -> bool:
    wanted = spec.get("automountServiceAccountToken")
    if wanted is None:
        wanted = account.get("automountServiceAccountToken")
    return wanted is not False


def _mount(spec: Object) -> None:
    volumes = spec.get("volumes") or []
    name = next((v["name"] for v in volumes if v["name"].startswith(_VOLUME)), "")
    containers = [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]
    lacking = [one for one in containers if not _has_mount(one)]
    if not lacking:
        return
    if not name:
        name = _VOLUME + metadata.suffix()
        spec["volumes"] = [*volumes, _volume(name)]
    for container in lacking:
        mount = {"name": name, "readOnly": True, "mountPath": _MOUNT}
        container["volumeMounts"] = [*(container.get("volumeMounts") or ()), mount]


def _has_mount(container: Object) -> bool:
    mounts = container.get("volumeMounts") or ()
    return any(mount.get("mountPath") == _MOUNT for mount in mounts)


def _volume(name: str) -> Object:
    field = {"apiVersion": "v1", "fieldPath": "metadata.namespace"}
    sources = [
        {"serviceAccountToken": {"expirationSeconds": _EXPIRATION, "path": "token"}},
        {
            "configMap": {
                "name": "kube-root-ca.crt",
                "items": [{"key": "ca.crt", "path": "ca.crt"}],
            }
        },
        {"downwardAPI": {"items": [{"path": "namespace", "fieldRef": field}]}},
    ]
    return {"name": name, "projected": {"sources": sources, "defaultMode": 0o644}}
