"""Whether a CRD's schema is structural. Source: apiextensions' schema validation ("structural schemas").

CEL rules (``x-kubernetes-validations``) are checked for form here and evaluated by `schemas.crd_rules`.
"""

from __future__ import annotations

import re
from typing import Any, Final

from meshcourse.embedded.apiserver.schemas import crd_rules, patterns
from meshcourse.embedded.apiserver.schemas.report import Report

Schema = dict[str, Any]

_TYPES: Final = ("array", "boolean", "integer", "number", "object", "string")
_EMPTY_TYPE: Final = {
    "root": "must not be empty at the root",
    "item": "must not be empty for specified array items",
    "field": "must not be empty for specified object fields",
}
_UNSUPPORTED: Final = (
    "id", "additionalItems", "patternProperties", "definitions", "dependencies", "$ref",
)  # fmt: skip
_INT_OR_STRING: Final = [{"type": "integer"}, {"type": "string"}]
#: What value validation (allOf, anyOf, oneOf, not) may not say, and how it is told.
_NESTED: Final = {
    "type": "must be empty to be structural",
    "additionalProperties": "must be undefined to be structural",
    "default": "must be undefined to be structural",
    "title": "must be empty to be structural",
    "description": "must be empty to be structural",
    "nullable": "must be false to be structural",
    "x-kubernetes-preserve-unknown-fields": "must be false to be structural",
    "x-kubernetes-embedded-resource": "must be false to be structural",
    "x-kubernetes-int-or-string": "must be false to be structural",
    "x-kubernetes-list-map-keys": "must be empty to be structural",
    "x-kubernetes-list-type": "must be undefined to be structural",
    "x-kubernetes-map-type": "must be undefined to be structural",
    "x-kubernetes-validations": "must be empty to be structural",
}


def check(report: Report, schema: Schema, path: str, level: str = "root") -> None:
    """Report what keeps `schema` from being structural."""
    _type(report, schema, path, level)
    _unsupported(report, schema, path)
    _extensions(report, schema, path)
    _list(report, schema, path)
    _composition(report, schema, path)
    _rules(report, schema, path)
    _pattern(report, schema, path)
    for name, child in (schema.get("properties") or {}).items():
        if level == "root" and name == "metadata":
            _metadata(report, child, f"{path}.properties[metadata]")
        else:
            check(report, child, f"{path}.properties[{name}]", "field")
    if isinstance(schema.get("items"), dict):
        check(report, schema["items"], f"{path}.items", "item")
    _additional(report, schema, path, level)


def _type(report: Report, schema: Schema, path: str, level: str) -> None:
    kind = schema.get("type") or ""
    free = schema.get("x-kubernetes-int-or-string") or schema.get(
        "x-kubernetes-preserve-unknown-fields"
    )
    if kind == "null":
        report.forbidden(
            f"{path}.type", "type cannot be set to null, use nullable as an alternative"
        )
    elif kind and kind not in _TYPES:
        report.not_supported(f"{path}.type", kind, _TYPES)
    if schema.get("x-kubernetes-embedded-resource") and kind != "object":
        text = "must be object if x-kubernetes-embedded-resource is true"
        if kind:
            report.invalid(f"{path}.type", kind, text)
        else:
            report.required(f"{path}.type", text)
    elif not kind and not free:
        report.required(f"{path}.type", _EMPTY_TYPE[level])
    if level == "root" and kind not in ("", "object"):
        report.invalid(f"{path}.type", kind, "must be object at the root")
    if kind == "array" and schema.get("items") is None:
        report.required(f"{path}.items", "must be specified")


def _unsupported(report: Report, schema: Schema, path: str) -> None:
    for keyword in _UNSUPPORTED:
        if schema.get(keyword):
            report.forbidden(f"{path}.{keyword}", f"{keyword} is not supported")
    if isinstance(schema.get("items"), list):
        report.forbidden(f"{path}.items", "items must be a schema object and not an array")
    if schema.get("uniqueItems"):
        text = "uniqueItems cannot be set to true since the runtime complexity becomes quadratic"
        report.forbidden(f"{path}.uniqueItems", text)


def _extensions(report: Report, schema: Schema, path: str) -> None:
    if schema.get("x-kubernetes-int-or-string"):
        for keyword in ("x-kubernetes-preserve-unknown-fields", "x-kubernetes-embedded-resource"):
            if schema.get(keyword):
                text = "must be false if x-kubernetes-int-or-string is true"
                report.invalid(f"{path}.{keyword}", True, text)
    if schema.get("x-kubernetes-preserve-unknown-fields") is False:
        report.invalid(
            f"{path}.x-kubernetes-preserve-unknown-fields", False, "must be true or undefined"
        )
    map_type = schema.get("x-kubernetes-map-type")
    report.one_of(f"{path}.x-kubernetes-map-type", map_type, ("atomic", "granular"))
    preserve = schema.get("x-kubernetes-preserve-unknown-fields")
    if (
        schema.get("x-kubernetes-embedded-resource")
        and not preserve
        and not schema.get("properties")
    ):
        text = (
            "must not be empty if x-kubernetes-embedded-resource is true without "
            "x-kubernetes-preserve-unknown-fields"
        )
        report.required(f"{path}.properties", text)


def _list(report: Report, schema: Schema, path: str) -> None:
    kind, keys = (
        schema.get("x-kubernetes-list-type"),
        schema.get("x-kubernetes-list-map-keys") or (),
    )
    report.one_of(f"{path}.x-kubernetes-list-type", kind, ("atomic", "set", "map"))
    if kind and schema.get("type") != "array":
        text = "must be array if x-kubernetes-list-type is specified"
        report.invalid(f"{path}.type", schema.get("type") or "", text)
    if keys and kind != "map":
        text = "must be map if x-kubernetes-list-map-keys is non-empty"
        report.invalid(f"{path}.x-kubernetes-list-type", kind or "", text)
    if kind != "map":
        return
    if not keys:
        text = "must not be empty if x-kubernetes-list-type is map"
        report.required(f"{path}.x-kubernetes-list-map-keys", text)
    items = schema.get("items") or {}
    properties = items.get("properties") or {}
    if any(key not in properties for key in keys):
        text = "entries must all be names of item properties"
        report.invalid(f"{path}.x-kubernetes-list-map-keys", list(keys), text)
    for key in keys:
        if (
            key in properties
            and key not in (items.get("required") or ())
            and "default" not in properties[key]
        ):
            text = "this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property"
            report.required(f"{path}.items.properties[{key}].default", text)


def _composition(report: Report, schema: Schema, path: str) -> None:
    skip = schema.get("x-kubernetes-int-or-string")
    for keyword in ("allOf", "anyOf", "oneOf"):
        for index, nested in enumerate(schema.get(keyword) or ()):
            here = f"{path}.{keyword}[{index}]"
            if skip and (
                schema.get(keyword) == _INT_OR_STRING or nested.get("anyOf") == _INT_OR_STRING
            ):
                continue
            _nested(report, nested, here)
    if schema.get("not"):
        _nested(report, schema["not"], f"{path}.not")


def _nested(report: Report, schema: Schema, path: str) -> None:
    for keyword, text in _NESTED.items():
        if schema.get(keyword) not in (None, "", False, [], ()):
            report.forbidden(f"{path}.{keyword}", text)
    for name, child in (schema.get("properties") or {}).items():
        if name == "metadata":
            report.forbidden(
                f"{path}.properties[metadata]", "must not be specified in a nested context"
            )
        _nested(report, child, f"{path}.properties[{name}]")
    if isinstance(schema.get("items"), dict):
        _nested(report, schema["items"], f"{path}.items")
    _composition(
        report,
        {key: schema[key] for key in ("allOf", "anyOf", "oneOf", "not") if key in schema},
        path,
    )


def _rules(report: Report, schema: Schema, path: str) -> None:
    for index, rule in enumerate(schema.get("x-kubernetes-validations") or ()):
        here = f"{path}.x-kubernetes-validations[{index}]"
        if not (rule.get("rule") or "").strip():
            report.required(f"{here}.rule", "rule is not specified")
        elif "\n" in rule["rule"] and not rule.get("message"):
            report.required(
                f"{here}.message", "message must be specified if rule contains line breaks"
            )
        elif problem := crd_rules.syntax_problem(rule["rule"]):
            report.invalid(f"{here}.rule", rule, f"compilation failed: {problem}")
        if "\n" in (rule.get("message") or ""):
            report.invalid(f"{here}.message", rule["message"], "must not contain line breaks")


def _pattern(report: Report, schema: Schema, path: str) -> None:
    pattern = schema.get("pattern")
    if pattern:
        try:
            patterns.compile_pattern(pattern)
        except re.error as error:
            if "bad escape \\p" in str(error).lower():
                return  # a Unicode class: RE2 knows it, Python does not
            text = f"must be a valid regular expression, but isn't: {error}"
            report.invalid(f"{path}.pattern", pattern, text)


def _metadata(report: Report, schema: Schema, path: str) -> None:
    """At the root metadata is implicit; only the name may be restricted."""
    if schema.get("type") != "object":
        report.invalid(f"{path}.type", schema.get("type") or "", "must be object")
    if set(schema.get("properties") or ()) - {"name", "generateName"}:
        text = "must not specify anything other than name and generateName, but metadata is implicitly specified"
        report.forbidden(path, text)


def _additional(report: Report, schema: Schema, path: str, level: str) -> None:
    found = schema.get("additionalProperties")
    if found in (None, False):
        return
    if level == "root":
        report.forbidden(f"{path}.additionalProperties", "must not be used at the root")
    if schema.get("properties"):
        report.forbidden(
            f"{path}.additionalProperties",
            "additionalProperties and properties are mutual exclusive",
        )
    if isinstance(found, dict) and found:
        check(report, found, f"{path}.additionalProperties", "field")
