"""Rows of volumes and storage classes. Source: the API server's printers."""

from __future__ import annotations

from collections.abc import Sequence

from meshcourse.embedded.apiserver.tables import columns
from meshcourse.embedded.apiserver.tables.columns import UNSET, Row
from meshcourse.embedded.kube import objects
from meshcourse.embedded.kube.objects import Object

_MODES = {
    "ReadWriteOnce": "RWO",
    "ReadOnlyMany": "ROX",
    "ReadWriteMany": "RWX",
    "ReadWriteOncePod": "RWOP",
}


def _modes(modes: Sequence[str]) -> str:
    return ",".join(short for mode, short in _MODES.items() if mode in modes)


def volume(obj: Object) -> Row:
    spec = obj.get("spec") or {}
    claim = spec.get("claimRef")
    phase = "Terminating" if objects.deleting(obj) else objects.dig(obj, "status.phase", "")
    return [
        columns.name(obj),
        objects.dig(spec, "capacity.storage", ""),
        _modes(spec.get("accessModes") or ()),
        spec.get("persistentVolumeReclaimPolicy", ""),
        phase,
        f"{claim.get('namespace')}/{claim.get('name')}" if claim else "",
        spec.get("storageClassName", ""),
        spec.get("volumeAttributesClassName") or UNSET,
        objects.dig(obj, "status.reason", ""),
        columns.age(obj),
        spec.get("volumeMode") or UNSET,
    ]


VOLUME = columns.printer(
    volume,
    "Name",
    "Capacity",
    "Access Modes",
    "Reclaim Policy",
    "Status",
    "Claim",
    "StorageClass",
    "VolumeAttributesClass",
    "Reason",
    "Age",
    "*VolumeMode",
)


def claim(obj: Object) -> Row:
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    bound = bool(spec.get("volumeName"))
    return [
        columns.name(obj),
        "Terminating" if objects.deleting(obj) else status.get("phase", ""),
        spec.get("volumeName", ""),
        objects.dig(status, "capacity.storage", "") if bound else "",
        _modes(status.get("accessModes") or ()) if bound else "",
        spec.get("storageClassName", ""),
        spec.get("volumeAttributesClassName") or UNSET,
        columns.age(obj),
        spec.get("volumeMode") or UNSET,
    ]


CLAIM = columns.printer(
    claim,
    "Name",
    "Status",
    "Volume",
    "Capacity",
    "Access Modes",
    "StorageClass",
    "VolumeAttributesClass",
    "Age",
    "*VolumeMode",
)


def storage_class(obj: Object) -> Row:
    name = columns.name(obj)
    default = objects.annotations_of(obj).get("storageclass.kubernetes.io/is-default-class")
    return [
        f"{name} (default)" if default == "true" else name,
        obj.get("provisioner", ""),
        obj.get("reclaimPolicy", ""),
        obj.get("volumeBindingMode", ""),
        bool(obj.get("allowVolumeExpansion")),
        columns.age(obj),
    ]


STORAGE_CLASS = columns.printer(
    storage_class,
    "Name",
    "Provisioner",
    "ReclaimPolicy",
    "VolumeBindingMode",
    "AllowVolumeExpansion:boolean",
    "Age",
)
