"""Rules for ``metadata``, for labels and for label selectors. Source: apimachinery's object meta validation."""

from __future__ import annotations

from typing import Any

from meshcourse.embedded.apiserver.schemas.report import IMMUTABLE, Report
from meshcourse.embedded.apiserver.validation import names
from meshcourse.embedded.apiserver.validation.names import Rule
from meshcourse.embedded.kube.objects import Object

_ANNOTATIONS_LIMIT = 256 * 1024
_FIXED = (
    "name",
    "namespace",
    "uid",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
)


def create(report: Report, metadata: Object, *, namespaced: bool, rule: Rule) -> None:
    """``metadata`` of an object to be created, after name generation."""
    name, prefix = metadata.get("name") or "", metadata.get("generateName") or ""
    if prefix:
        masked = f"{prefix[:-2]}a" if len(prefix) > 1 and prefix.endswith("-") else prefix
        report.invalids("metadata.generateName", prefix, rule(masked))
    if not name:
        report.required("metadata.name", "name or generateName is required")
    else:
        report.invalids("metadata.name", name, rule(name))
    _namespace(report, metadata, namespaced=namespaced)
    report.not_negative("metadata.generation", metadata.get("generation"))
    _common(report, metadata)
    for finalizer in metadata.get("finalizers") or ():
        report.invalids("metadata.finalizers", finalizer, names.label_key(finalizer))


def _namespace(report: Report, metadata: Object, *, namespaced: bool) -> None:
    namespace = metadata.get("namespace") or ""
    if not namespaced:
        if namespace:
            report.forbidden("metadata.namespace", "not allowed on this type")
    elif not namespace:
        report.required("metadata.namespace")
    else:
        report.invalids("metadata.namespace", namespace, names.dns1123_label(namespace))


def update(report: Report, new: Object, old: Object) -> None:
    """``metadata`` of an object to be replaced."""
    if old.get("deletionTimestamp"):
        extra = sorted(set(new.get("finalizers") or ()) - set(old.get("finalizers") or ()))
        if extra:
            listed = ", ".join(f'"{each}"' for each in extra)
            report.forbidden(
                "metadata.finalizers",
                "no new finalizers can be added if the object is being deleted, found new finalizers "
                f"[]string{{{listed}}}",
            )
    for field in _FIXED:
        if (new.get(field) or None) != (old.get(field) or None):
            report.invalid(f"metadata.{field}", new.get(field) or "", IMMUTABLE)
    _common(report, new)


def _common(report: Report, metadata: Object) -> None:
    check_labels(report, "metadata.labels", metadata.get("labels"))
    check_annotations(report, "metadata.annotations", metadata.get("annotations"))
    _owners(report, metadata.get("ownerReferences") or ())


def check_labels(report: Report, path: str, found: Any) -> None:
    for key, value in (found or {}).items():
        report.invalids(path, key, names.label_key(key))
        report.invalids(path, value, names.label_value(value))


def check_annotations(report: Report, path: str, found: Any) -> None:
    size = 0
    for key, value in (found or {}).items():
        report.invalids(path, key, names.label_key(key.lower()))
        size += len(key.encode()) + len(value.encode())
    if size > _ANNOTATIONS_LIMIT:
        report.too_long(path, _ANNOTATIONS_LIMIT)


def _owners(report: Report, owners: Any) -> None:
    controller = ""
    for index, owner in enumerate(owners):
        path = f"metadata.ownerReferences[{index}]"
        for field in ("apiVersion", "kind", "name", "uid"):
            if not owner.get(field):
                report.required(f"{path}.{field}", "must not be empty")
        if owner.get("apiVersion") == "v1" and owner.get("kind") == "Event":
            report.invalid(path, owner, "/v1, Kind=Event is disallowed from being an owner")
        if owner.get("controller"):
            this = f"{owner.get('kind')}/{owner.get('name')}"
            if controller:
                report.invalid(
                    "metadata.ownerReferences",
                    list(owners),
                    'Only one reference can have Controller set to true. Found "true" in references for '
                    f"{controller} and {this}",
                )
            controller = controller or this


def selector(report: Report, path: str, found: Object | None) -> None:
    """A ``LabelSelector``."""
    if not found:
        return
    check_labels(report, f"{path}.matchLabels", found.get("matchLabels"))
    for index, expression in enumerate(found.get("matchExpressions") or ()):
        _requirement(report, f"{path}.matchExpressions[{index}]", expression)


def _requirement(report: Report, path: str, expression: Object) -> None:
    operator, values = expression.get("operator"), expression.get("values") or []
    if operator in ("In", "NotIn"):
        if not values:
            report.required(
                f"{path}.values", "must be specified when `operator` is 'In' or 'NotIn'"
            )
    elif operator in ("Exists", "DoesNotExist"):
        if values:
            report.forbidden(
                f"{path}.values",
                "may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
            )
    else:
        report.invalid(f"{path}.operator", operator or "", "not a valid selector operator")
    report.invalids(
        f"{path}.key", expression.get("key") or "", names.label_key(expression.get("key") or "")
    )
    for index, value in enumerate(values):
        report.invalids(f"{path}.values[{index}]", value, names.label_value(value))
