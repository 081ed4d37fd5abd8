"""Rules for volumes and claims. Source: Kubernetes' core and storage validation."""

from __future__ import annotations

from typing import Any, Final

from meshcourse.embedded.apiserver.schemas.report import Report
from meshcourse.embedded.apiserver.validation import meta, names, quantities
from meshcourse.embedded.kube.objects import Object

_MODES: Final = ("ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod")
_CLAIM_FIXED: Final = (
    "spec is immutable after creation except resources.requests and volumeAttributesClassName for "
    "bound claims"
)
_NOT_SOURCES: Final = frozenset(
    {
        "capacity", "accessModes", "claimRef", "persistentVolumeReclaimPolicy", "storageClassName", "mountOptions",
        "volumeMode", "nodeAffinity", "volumeAttributesClassName",
    }
)  # fmt: skip


def claim(report: Report, new: Object, old: Object | None) -> None:
    spec = new.get("spec") or {}
    _modes(report, spec.get("accessModes"))
    meta.selector(report, "spec.selector", spec.get("selector"))
    requests = (spec.get("resources") or {}).get("requests") or {}
    if "storage" not in requests:
        report.required("spec.resources[storage]")
    else:
        _positive(report, "spec.resources[storage]", requests["storage"])
    _class_name(report, spec)
    report.one_of("spec.volumeMode", spec.get("volumeMode"), ("Block", "Filesystem"))
    if old is not None and _fixed(spec) != _fixed(old.get("spec") or {}):
        report.forbidden("spec", _CLAIM_FIXED)


def _fixed(spec: Object) -> Object:
    free = ("resources", "volumeAttributesClassName", "volumeName", "storageClassName")
    return {key: value for key, value in spec.items() if key not in free}


def _modes(report: Report, modes: Any) -> None:
    if not modes:
        report.required("spec.accessModes", "at least 1 access mode is required")
    for mode in modes or ():
        report.one_of("spec.accessModes", mode, _MODES)
    if "ReadWriteOncePod" in (modes or ()) and len(modes) > 1:
        text = "may not use ReadWriteOncePod with other access modes"
        report.forbidden("spec.accessModes", text)


def _positive(report: Report, path: str, quantity: Any) -> None:
    number = quantities.value(quantity)
    if number is not None and number <= 0:
        report.invalid(path, str(quantity), "must be greater than zero")


def _class_name(report: Report, spec: Object) -> None:
    name = spec.get("storageClassName")
    if name:
        report.invalids("spec.storageClassName", name, names.dns1123_subdomain(name))


def volume(report: Report, new: Object, old: Object | None) -> None:
    spec = new.get("spec") or {}
    _modes(report, spec.get("accessModes"))
    capacity = spec.get("capacity") or {}
    if not capacity:
        report.required("spec.capacity")
    elif "storage" not in capacity:
        report.not_supported("spec.capacity", capacity, ("storage",))
    else:
        _positive(report, "spec.capacity[storage]", capacity["storage"])
    policies = ("Delete", "Recycle", "Retain")
    policy = spec.get("persistentVolumeReclaimPolicy")
    report.one_of("spec.persistentVolumeReclaimPolicy", policy, policies)
    sources = [key for key in spec if key not in _NOT_SOURCES]
    if not sources:
        report.required("spec", "must specify a volume type")
    for extra in sources[1:]:
        report.forbidden(f"spec.{extra}", "may not specify more than 1 volume type")
    _class_name(report, spec)


def storage_class(report: Report, new: Object, old: Object | None) -> None:
    if not new.get("provisioner"):
        report.required("provisioner")
    report.one_of("reclaimPolicy", new.get("reclaimPolicy"), ("Delete", "Retain"))
    modes = ("Immediate", "WaitForFirstConsumer")
    report.one_of("volumeBindingMode", new.get("volumeBindingMode"), modes, required=True)
    if old is None:
        return
    for field, text in (
        ("parameters", "updates to parameters are forbidden."),
        ("provisioner", "updates to provisioner are forbidden."),
        ("reclaimPolicy", "updates to reclaimPolicy are forbidden."),
    ):
        if new.get(field) != old.get(field):
            report.forbidden(field, text)
