"""What a structural schema finds wrong with a custom resource, in the API server's words.

Source: kube-openapi's validation (wording of each keyword) and apiextensions' translation into field errors. Written
by hand because the words are the point: a JSON-schema library is the referee in the tests.
"""

from __future__ import annotations

import json
from typing import Any

from meshcourse.embedded.apiserver.schemas import formats, patterns
from meshcourse.embedded.apiserver.schemas.report import Report

Schema = dict[str, Any]


def check(report: Report, value: Any, schema: Schema, path: str = "") -> None:
    """Report what is wrong with `value`. `path` is "" for the root."""
    if value is None and schema.get("nullable"):
        return
    if not _type(report, value, schema, path):
        return
    _enum(report, value, schema, path)
    if isinstance(value, str):
        _string(report, value, schema, path)
    elif isinstance(value, dict):
        _object(report, value, schema, path)
    elif isinstance(value, list):
        _array(report, value, schema, path)
    elif not isinstance(value, bool) and value is not None:
        _number(report, value, schema, path)
    _composed(report, value, schema, path)


def type_name(value: Any) -> str:
    """The JSON-schema type of a value; whole floats are numbers, as the API server has it."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer"
    if isinstance(value, float):
        return "number"
    if isinstance(value, str):
        return "string"
    return "object" if isinstance(value, dict) else "array"


def _type(report: Report, value: Any, schema: Schema, path: str) -> bool:
    wanted = schema.get("type", "")
    if schema.get("x-kubernetes-int-or-string"):
        wanted = "integer,string"
    if not wanted:
        return True
    found = type_name(value)
    allowed = wanted.split(",")
    if found in allowed or (found == "integer" and "number" in allowed):
        return True
    if found == "number" and "integer" in allowed and float(value).is_integer():
        return True
    detail = f'{_body(path)} must be of type {wanted}: "{found}"'
    report.type_invalid(_field(path), found, detail)
    return False


def _body(path: str) -> str:
    return f"{path} in body" if path else "in body"


def _field(path: str) -> str:
    return path or "<nil>"


def _wrong(report: Report, path: str, value: Any, detail: str) -> None:
    report.invalid(_field(path), value, f"{_body(path)} {detail}")


def _enum(report: Report, value: Any, schema: Schema, path: str) -> None:
    allowed = schema.get("enum")
    if allowed is None or any(value == each and type(value) is type(each) for each in allowed):
        return
    shown = [each if isinstance(each, str) else json.dumps(each) for each in allowed]
    report.not_supported(_field(path), value, shown)


def _string(report: Report, value: str, schema: Schema, path: str) -> None:
    most, least = schema.get("maxLength"), schema.get("minLength")
    if most is not None and len(value) > most:
        report.too_long(_field(path), most)
    if least is not None and len(value) < least:
        _wrong(report, path, value, f"should be at least {least} chars long")
    pattern = schema.get("pattern")
    if pattern and not patterns.found(pattern, value):
        _wrong(report, path, value, f"should match '{pattern}'")
    name = schema.get("format")
    if name and not formats.valid(value, name):
        detail = f"{_body(path)} must be of type {name}: {json.dumps(value)}"
        report.type_invalid(_field(path), value, detail)


def _number(report: Report, value: float, schema: Schema, path: str) -> None:
    most, least = schema.get("maximum"), schema.get("minimum")
    if most is not None and schema.get("exclusiveMaximum") and value >= most:
        _wrong(report, path, value, f"should be less than {_plain(most)}")
    elif most is not None and value > most:
        _wrong(report, path, value, f"should be less than or equal to {_plain(most)}")
    if least is not None and schema.get("exclusiveMinimum") and value <= least:
        _wrong(report, path, value, f"should be greater than {_plain(least)}")
    elif least is not None and value < least:
        _wrong(report, path, value, f"should be greater than or equal to {_plain(least)}")
    factor = schema.get("multipleOf")
    if factor and value % factor:
        _wrong(report, path, value, f"should be a multiple of {_plain(factor)}")


def _plain(number: float) -> str:
    """As Go's %v prints a float: no trailing ``.0``, exponents from 1e+21."""
    return str(int(number)) if float(number).is_integer() and abs(number) < 1e21 else repr(number)


def _array(report: Report, value: list[Any], schema: Schema, path: str) -> None:
    items = schema.get("items")
    if isinstance(items, dict):
        for index, item in enumerate(value):
            check(report, item, items, f"{path}[{index}]")
    most, least = schema.get("maxItems"), schema.get("minItems")
    if most is not None and len(value) > most:
        report.too_many(_field(path), len(value), most)
    if least is not None and len(value) < least:
        _wrong(report, path, len(value), f"should have at least {least} items")
    _unique(report, value, schema, path)


def _unique(report: Report, value: list[Any], schema: Schema, path: str) -> None:
    kind = schema.get("x-kubernetes-list-type")
    keys = schema.get("x-kubernetes-list-map-keys") or ()
    if kind not in ("set", "map") and not schema.get("uniqueItems"):
        return
    seen: set[str] = set()
    for index, item in enumerate(value):
        key = item
        if kind == "map":
            key = (
                {name: item.get(name) for name in keys if item.get(name) is not None}
                if isinstance(item, dict)
                else {}
            )
        text = json.dumps(key, sort_keys=True)
        if text in seen:
            report.duplicate(f"{path}[{index}]", key)
        seen.add(text)


def _object(report: Report, value: dict[str, Any], schema: Schema, path: str) -> None:
    for field in schema.get("required") or ():
        if field not in value:
            report.required(_join(path, field))
    properties = schema.get("properties") or {}
    additional = schema.get("additionalProperties")
    for field, item in value.items():
        child = properties.get(field)
        if child is None and isinstance(additional, dict):
            child = additional
        if child is not None and not (not path and field == "metadata"):
            check(report, item, child, _join(path, field))
    most, least = schema.get("maxProperties"), schema.get("minProperties")
    if most is not None and len(value) > most:
        report.too_many(_field(path), len(value), most)
    if least is not None and len(value) < least:
        _wrong(report, path, len(value), f"should have at least {least} properties")


def _join(path: str, field: str) -> str:
    return f"{path}.{field}" if path else field


def _composed(report: Report, value: Any, schema: Schema, path: str) -> None:
    for each in schema.get("allOf") or ():
        check(report, value, each, path)
    if schema.get("anyOf"):
        _any_of(report, value, schema["anyOf"], path)
    if schema.get("oneOf"):
        _one_of(report, value, schema["oneOf"], path)
    if schema.get("not") and not _failures(value, schema["not"], path).causes:
        report.invalid("<nil>", "", f'"{path}" must not validate the schema (not)')


def _failures(value: Any, schema: Schema, path: str) -> Report:
    found = Report()
    check(found, value, schema, path)
    return found


def _any_of(report: Report, value: Any, schemas: list[Schema], path: str) -> None:
    attempts = [_failures(value, each, path) for each in schemas]
    if all(each.causes for each in attempts):
        report.invalid("<nil>", "", f'"{path}" must validate at least one schema (anyOf)')
        report.causes += attempts[0].causes


def _one_of(report: Report, value: Any, schemas: list[Schema], path: str) -> None:
    attempts = [_failures(value, each, path) for each in schemas]
    valid = sum(not each.causes for each in attempts)
    if valid == 1:
        return
    found = f"Found {valid} valid alternatives" if valid else "Found none valid"
    report.invalid("<nil>", "", f'"{path}" must validate one and only one schema (oneOf). {found}')
    if not valid:
        report.causes += attempts[0].causes
