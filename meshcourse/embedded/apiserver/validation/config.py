"""Rules for ConfigMap, Secret, quotas, events and what else is mere data. Source: Kubernetes' core validation."""

from __future__ import annotations

import base64
import binascii
from typing import Any, Final

import orjson

from meshcourse.embedded.apiserver.schemas.report import Report
from meshcourse.embedded.apiserver.validation import names, quantities
from meshcourse.embedded.kube.objects import Object

_MOST: Final = 1024 * 1024
_FROZEN: Final = "field is immutable when `immutable` is set"
#: Keys that a type of secret must have.
_REQUIRED_KEYS: Final = {
    "kubernetes.io/dockercfg": (".dockercfg",),
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
}


def config_map(report: Report, new: Object, old: Object | None) -> None:
    data, binary = new.get("data") or {}, new.get("binaryData") or {}
    size = 0
    for key, value in data.items():
        report.invalids(f"data[{key}]", key, names.config_key(key))
        if key in binary:
            report.invalid(f"data[{key}]", key, "duplicate of key present in binaryData")
        size += len(value.encode())
    for key, value in binary.items():
        report.invalids(f"binaryData[{key}]", key, names.config_key(key))
        size += len(_decoded(value))
    if size > _MOST:
        report.too_long("", _MOST)
    if old is not None and old.get("immutable"):
        _frozen(report, new, old, ("data", "binaryData"))


def secret(report: Report, new: Object, old: Object | None) -> None:
    data = new.get("data") or {}
    size = 0
    for key, value in data.items():
        report.invalids(f"data[{key}]", key, names.config_key(key))
        size += len(_decoded(value))
    if size > _MOST:
        report.too_long("data", _MOST)
    _by_type(report, new, data)
    if old is not None:
        report.immutable("type", new.get("type"), old.get("type"))
        if old.get("immutable"):
            _frozen(report, new, old, ("data",))


def _by_type(report: Report, new: Object, data: Object) -> None:
    kind = new.get("type") or ""
    for key in _REQUIRED_KEYS.get(kind, ()):
        if key not in data:
            report.required(f"data[{key}]")
        elif "json" in key or key == ".dockercfg":
            _json(report, f"data[{key}]", data[key])
    if kind == "kubernetes.io/basic-auth" and not {"username", "password"} & data.keys():
        report.required("data[username]")
        report.required("data[password]")
    if kind == "kubernetes.io/service-account-token":
        notes = (new.get("metadata") or {}).get("annotations") or {}
        if not notes.get("kubernetes.io/service-account.name"):
            report.required("metadata.annotations[kubernetes.io/service-account.name]")


def _json(report: Report, path: str, encoded: str) -> None:
    try:
        orjson.loads(_decoded(encoded))
    except orjson.JSONDecodeError as error:
        report.invalid(path, "<secret contents redacted>", str(error))


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text)
    except (binascii.Error, ValueError):
        return b""


def _frozen(report: Report, new: Object, old: Object, fields: tuple[str, ...]) -> None:
    if not new.get("immutable"):
        report.forbidden("immutable", _FROZEN)
    for field in fields:
        if (new.get(field) or {}) != (old.get(field) or {}):
            report.forbidden(field, _FROZEN)


def resource_quota(report: Report, new: Object, old: Object | None) -> None:
    for name, quantity in ((new.get("spec") or {}).get("hard") or {}).items():
        report.invalids(f"spec.hard[{name}]", name, names.label_key(name))
        number = quantities.value(quantity)
        if number is not None and number < 0:
            text = "must be greater than or equal to 0"
            report.invalid(f"spec.hard[{name}]", str(quantity), text)


def limit_range(report: Report, new: Object, old: Object | None) -> None:
    for index, item in enumerate((new.get("spec") or {}).get("limits") or ()):
        path = f"spec.limits[{index}]"
        for name, least in (item.get("min") or {}).items():
            most = (item.get("max") or {}).get(name)
            low, high = quantities.value(least), quantities.value(most or "")
            if low is not None and high is not None and low > high:
                text = f"min value {least} is greater than max value {most}"
                report.invalid(f"{path}.min[{name}]", str(least), text)


def priority_class(report: Report, new: Object, old: Object | None) -> None:
    if old is not None and new.get("value", 0) != old.get("value", 0):
        report.forbidden("value", "may not be changed in an update.")
    policies = ("Never", "PreemptLowerPriority")
    report.one_of("preemptionPolicy", new.get("preemptionPolicy"), policies)


def lease(report: Report, new: Object, old: Object | None) -> None:
    spec = new.get("spec") or {}
    seconds = spec.get("leaseDurationSeconds")
    if seconds is not None and seconds <= 0:
        report.invalid("spec.leaseDurationSeconds", seconds, "must be greater than 0")
    report.not_negative("spec.leaseTransitions", spec.get("leaseTransitions"))


def event(report: Report, new: Object, old: Object | None) -> None:
    """An event lives in the namespace of what it is about (``default`` for what has none)."""
    namespace = (new.get("metadata") or {}).get("namespace") or ""
    involved: Any = new.get("involvedObject") or new.get("regarding") or {}
    about = involved.get("namespace") or ""
    expected = about or "default"
    if about != namespace and not (not about and namespace in (expected, "kube-system")):
        report.invalid("involvedObject.namespace", about, "does not match event.namespace")
