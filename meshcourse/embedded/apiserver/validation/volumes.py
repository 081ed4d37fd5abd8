"""Rules for a pod's volumes. Source: Kubernetes' pod validation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from meshcourse.embedded.apiserver.schemas.report import Report
from meshcourse.embedded.apiserver.validation import containers, names
from meshcourse.embedded.kube.objects import Object

_DOWNWARD_PATHS: Final = (
    "metadata.annotations",
    "metadata.labels",
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
)
_SOURCE_KINDS: Final = (
    "secret",
    "downwardAPI",
    "configMap",
    "serviceAccountToken",
    "clusterTrustBundle",
    "podCertificate",
)


def volumes(report: Report, path: str, found: Any) -> list[str]:
    """Check all volumes; returns the names that mounts may refer to."""
    seen: list[str] = []
    for index, volume in enumerate(found or ()):
        here = f"{path}[{index}]"
        name = volume.get("name") or ""
        if not name:
            report.required(f"{here}.name")
        else:
            report.invalids(f"{here}.name", name, names.dns1123_label(name))
        if name in seen:
            report.duplicate(f"{here}.name", name)
        seen.append(name)
        _source(report, here, volume)
    return seen


def _source(report: Report, path: str, volume: Object) -> None:
    kinds = [kind for kind, source in volume.items() if kind != "name" and source is not None]
    if not kinds:
        report.required(path, "must specify a volume type")
        return
    for kind in kinds[1:]:
        report.forbidden(f"{path}.{kind}", "may not specify more than 1 volume type")
    check = _CHECKS.get(kinds[0])
    if check is not None:
        check(report, f"{path}.{kinds[0]}", volume[kinds[0]])


def _secret(report: Report, path: str, source: Object) -> None:
    if not source.get("secretName"):
        report.required(f"{path}.secretName")
    _files(report, path, source)


def _config_map(report: Report, path: str, source: Object) -> None:
    if not source.get("name"):
        report.required(f"{path}.name")
    _files(report, path, source)


def _files(report: Report, path: str, source: Object) -> None:
    _mode(report, f"{path}.defaultMode", source.get("defaultMode"))
    for index, item in enumerate(source.get("items") or ()):
        here = f"{path}.items[{index}]"
        if not item.get("key"):
            report.required(f"{here}.key")
        if not item.get("path"):
            report.required(f"{here}.path")
        containers.relative_path(report, f"{here}.path", item.get("path"))
        _mode(report, f"{here}.mode", item.get("mode"))


def _mode(report: Report, path: str, mode: Any) -> None:
    if mode is not None and not 0 <= mode <= 0o777:
        report.invalid(path, mode, "must be a number between 0 and 0777 (octal), both inclusive")


def _downward(report: Report, path: str, source: Object) -> None:
    _mode(report, f"{path}.defaultMode", source.get("defaultMode"))
    for index, item in enumerate(source.get("items") or ()):
        here = f"{path}.items[{index}]"
        if not item.get("path"):
            report.required(f"{here}.path")
        containers.relative_path(report, f"{here}.path", item.get("path"))
        if item.get("fieldRef"):
            containers.field_reference(
                report, f"{here}.fieldRef", item["fieldRef"], _DOWNWARD_PATHS
            )
        elif not item.get("resourceFieldRef"):
            report.required(here, "one of fieldRef and resourceFieldRef is required")


def _host_path(report: Report, path: str, source: Object) -> None:
    if not source.get("path"):
        report.required(f"{path}.path")
    elif ".." in source["path"].split("/"):
        report.invalid(f"{path}.path", source["path"], "must not contain '..'")


def _claim(report: Report, path: str, source: Object) -> None:
    if not source.get("claimName"):
        report.required(f"{path}.claimName")


def _nfs(report: Report, path: str, source: Object) -> None:
    for field in ("server", "path"):
        if not source.get(field):
            report.required(f"{path}.{field}")


def _projected(report: Report, path: str, source: Object) -> None:
    _mode(report, f"{path}.defaultMode", source.get("defaultMode"))
    for index, part in enumerate(source.get("sources") or ()):
        here = f"{path}.sources[{index}]"
        kinds = [kind for kind in _SOURCE_KINDS if part.get(kind) is not None]
        if not kinds:
            report.required(here, "must specify a source type")
        for kind in kinds[1:]:
            report.forbidden(f"{here}.{kind}", "may not specify more than 1 volume type")
        for kind in kinds:
            _part(report, f"{here}.{kind}", kind, part[kind])


def _part(report: Report, path: str, kind: str, part: Object) -> None:
    if kind in ("secret", "configMap"):
        if not part.get("name"):
            report.required(f"{path}.name")
        _files(report, path, part)
    elif kind == "downwardAPI":
        _downward(report, path, part)
    elif kind == "serviceAccountToken":
        seconds = part.get("expirationSeconds", 3600)
        if seconds < 600:
            text = "may not specify a duration less than 10 minutes"
            report.invalid(f"{path}.expirationSeconds", seconds, text)
        if not part.get("path"):
            report.required(f"{path}.path")
        containers.relative_path(report, f"{path}.path", part.get("path"))


_CHECKS: Final[dict[str, Callable[[Report, str, Object], None]]] = {
    "secret": _secret,
    "configMap": _config_map,
    "downwardAPI": _downward,
    "hostPath": _host_path,
    "persistentVolumeClaim": _claim,
    "nfs": _nfs,
    "projected": _projected,
}
