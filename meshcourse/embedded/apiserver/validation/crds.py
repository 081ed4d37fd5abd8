"""Rules for CustomResourceDefinitions (their schemas: `crd_schemas`). Source: apiextensions' validation."""

from __future__ import annotations

from typing import Any, Final

from meshcourse.embedded.apiserver.schemas.report import Report
from meshcourse.embedded.apiserver.validation import crd_schemas, names, webhooks
from meshcourse.embedded.kube.objects import Object

_COLUMN_TYPES: Final = ("boolean", "date", "integer", "number", "string")
_COLUMN_FORMATS: Final = (
    "binary", "byte", "date", "date-time", "double", "float", "int32", "int64", "password",
)  # fmt: skip
_MIXED_CASE: Final = "may have mixed case, but should otherwise match: "


def definition(report: Report, new: Object, old: Object | None) -> None:
    spec = new.get("spec") or {}
    _name(report, new, spec)
    _group(report, spec.get("group") or "")
    report.one_of("spec.scope", spec.get("scope"), ("Cluster", "Namespaced"), required=True)
    _versions(report, spec.get("versions") or ())
    _names(report, spec.get("names") or {})
    _conversion(report, spec.get("conversion") or {})
    if spec.get("preserveUnknownFields"):
        text = "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead"
        report.invalid("spec.preserveUnknownFields", True, text)
    if old is not None:
        _update(report, spec, old.get("spec") or {})
    _stored(report, new, spec)


def _name(report: Report, new: Object, spec: Object) -> None:
    wanted = f"{(spec.get('names') or {}).get('plural', '')}.{spec.get('group', '')}"
    name = (new.get("metadata") or {}).get("name") or ""
    if name != wanted:
        report.invalid("metadata.name", name, 'must be spec.names.plural+"."+spec.group')


def _group(report: Report, group: str) -> None:
    if not group:
        report.required("spec.group")
    elif wrong := names.dns1123_subdomain(group):
        report.invalid("spec.group", group, ",".join(wrong))
    elif "." not in group:
        report.invalid("spec.group", group, "should be a domain with at least one dot")


def _versions(report: Report, versions: Any) -> None:
    found = [each.get("name") or "" for each in versions]
    for index, version in enumerate(versions):
        path = f"spec.versions[{index}]"
        name = version.get("name") or ""
        if wrong := names.dns1035_label(name):
            report.invalid(f"{path}.name", name, ",".join(wrong))
        _version(report, path, version)
    if len(set(found)) != len(found):
        report.invalid("spec.versions", _shown(versions), "must contain unique version names")
    if sum(bool(each.get("storage")) for each in versions) != 1:
        text = "must have exactly one version marked as storage version"
        report.invalid("spec.versions", _shown(versions), text)


def _shown(versions: Any) -> list[Object]:
    """Enough of the versions to recognise them: the schemas would fill the screen."""
    fields = ("name", "served", "storage")
    return [{field: each.get(field) for field in fields} for each in versions]


def _version(report: Report, path: str, version: Object) -> None:
    schema = (version.get("schema") or {}).get("openAPIV3Schema")
    if schema is None:
        report.required(f"{path}.schema.openAPIV3Schema", "schemas are required")
    else:
        crd_schemas.check(report, schema, f"{path}.schema.openAPIV3Schema")
    for index, column in enumerate(version.get("additionalPrinterColumns") or ()):
        _column(report, f"{path}.additionalPrinterColumns[{index}]", column)
    scale = (version.get("subresources") or {}).get("scale")
    if scale is not None:
        _scale(report, f"{path}.subresources.scale", scale)


def _column(report: Report, path: str, column: Object) -> None:
    if not column.get("name"):
        report.required(f"{path}.name")
    kind = column.get("type") or ""
    listed = f"must be one of {','.join(_COLUMN_TYPES)}"
    if not kind:
        report.required(f"{path}.type", listed)
    elif kind not in _COLUMN_TYPES:
        report.invalid(f"{path}.type", kind, listed)
    form = column.get("format")
    if form and form not in _COLUMN_FORMATS:
        report.invalid(f"{path}.format", form, f"must be one of {','.join(_COLUMN_FORMATS)}")
    _json_path(report, f"{path}.JSONPath", column.get("jsonPath") or "")


def _json_path(report: Report, path: str, text: str) -> None:
    if not text:
        report.required(path)
    elif text[0] not in ".{":
        report.invalid(path, text, "must be a simple json path starting with .")


def _scale(report: Report, path: str, scale: Object) -> None:
    for field, root in (("specReplicasPath", ".spec."), ("statusReplicasPath", ".status.")):
        text = scale.get(field) or ""
        if not text:
            report.required(f"{path}.{field}")
        elif not text.startswith(root):
            report.invalid(f"{path}.{field}", text, f"should be a json path under {root[:-1]}")
    label = scale.get("labelSelectorPath")
    if label and not label.startswith((".spec.", ".status.")):
        text = "should be a json path under either .spec or .status"
        report.invalid(f"{path}.labelSelectorPath", label, text)


def _names(report: Report, found: Object) -> None:
    for field in ("plural", "singular", "kind", "listKind"):
        if not found.get(field):
            report.required(f"spec.names.{field}")
    for field in ("plural", "singular"):
        if found.get(field) and (wrong := names.dns1035_label(found[field])):
            report.invalid(f"spec.names.{field}", found[field], ",".join(wrong))
    for field in ("kind", "listKind"):
        if found.get(field) and (wrong := names.dns1035_label(found[field].lower())):
            report.invalid(f"spec.names.{field}", found[field], _MIXED_CASE + ",".join(wrong))
    for field in ("shortNames", "categories"):
        for index, each in enumerate(found.get(field) or ()):
            if wrong := names.dns1035_label(each):
                report.invalid(f"spec.names.{field}[{index}]", each, ",".join(wrong))
    if found.get("kind") and found.get("kind") == found.get("listKind"):
        report.invalid(
            "spec.names.listKind", found["listKind"], "kind and listKind may not be the same"
        )


def _conversion(report: Report, conversion: Object) -> None:
    strategy = conversion.get("strategy")
    report.one_of("spec.conversion.strategy", strategy, ("None", "Webhook"), required=True)
    if strategy == "Webhook":
        client = (conversion.get("webhook") or {}).get("clientConfig")
        path = "spec.conversion.webhookClientConfig"
        if client is None:
            report.required(path, "required when strategy is set to Webhook")
        else:
            webhooks.client_config(report, path, client)


def _update(report: Report, spec: Object, old: Object) -> None:
    report.immutable("spec.group", spec.get("group"), old.get("group"))
    report.immutable("spec.scope", spec.get("scope"), old.get("scope"))
    for field in ("plural", "kind"):
        after, before = (spec.get("names") or {}).get(field), (old.get("names") or {}).get(field)
        report.immutable(f"spec.names.{field}", after, before)


def _stored(report: Report, new: Object, spec: Object) -> None:
    stored = (new.get("status") or {}).get("storedVersions") or ()
    served = {each.get("name") for each in spec.get("versions") or ()}
    for index, version in enumerate(stored):
        if version not in served:
            text = (
                f"missing from spec.versions; {version} was previously a storage version, and must remain in "
                "spec.versions until a storage migration ensures no data remains persisted in "
                f"{version} and removes {version} from status.storedVersions"
            )
            report.invalid(f"status.storedVersions[{index}]", version, text)
