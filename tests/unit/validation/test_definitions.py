"""Rules for CustomResourceDefinitions."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from meshcourse.embedded.apiserver import schemas, validation
from meshcourse.embedded.kube import refs
from meshcourse.embedded.kube.objects import Object

_SCHEMA = "spec.versions[0].schema.openAPIV3Schema"


def crd(schema: Object | None = None, **spec: Any) -> Object:
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": schema or {"type": "object"}},
    }
    return {
        "metadata": {"name": "routes.example.com"},
        "spec": {
            "group": "example.com",
            "scope": "Namespaced",
            "names": {"plural": "routes", "kind": "Route"},
            "versions": [version],
            **spec,
        },
    }


def wrong(obj: Object, old: Object | None = None) -> list[str]:
    made = copy.deepcopy(obj)
    schema = schemas.for_builtin(refs.CRDS)
    schema.decode(made, mode="Strict")
    schema.default(made)
    if old is None:
        validation.prepare_create(refs.CRDS, made)
    else:
        validation.prepare_update(refs.CRDS, made, old)
    return [
        f"{cause.field}: {cause.message}" for cause in validation.validate(refs.CRDS, made, old)
    ]


def spec_schema(**properties: Object) -> Object:
    return {"type": "object", "properties": {"spec": {"type": "object", "properties": properties}}}


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        spec_schema(
            p={
                "x-kubernetes-int-or-string": True,
                "anyOf": [{"type": "integer"}, {"type": "string"}],
            }
        ),
        spec_schema(m={"type": "object", "additionalProperties": {"type": "string"}}),
        spec_schema(
            l={"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"}
        ),
        spec_schema(
            o={
                "type": "object",
                "oneOf": [{"required": ["a"]}, {"not": {"anyOf": [{"required": ["b"]}]}}],
            }
        ),
        {
            "type": "object",
            "properties": {
                "metadata": {"type": "object", "properties": {"name": {"type": "string"}}}
            },
        },
    ],
)
def test_good_schemas(schema: Object) -> None:
    assert wrong(crd(schema)) == []


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"properties": {}}, f"{_SCHEMA}.type: Required value: must not be empty at the root"),
        (
            {"type": "array", "items": {"type": "string"}},
            f'{_SCHEMA}.type: Invalid value: "array": must be object at the root',
        ),
        (
            spec_schema(a={}),
            f"{_SCHEMA}.properties[spec].properties[a].type: Required value: must not be empty for specified object "
            "fields",
        ),
        (
            spec_schema(a={"type": "array", "items": {}}),
            f"{_SCHEMA}.properties[spec].properties[a].items.type: Required value: must not be empty for specified "
            "array items",
        ),
        (
            spec_schema(a={"type": "array"}),
            f"{_SCHEMA}.properties[spec].properties[a].items: Required value: must be specified",
        ),
        (
            spec_schema(a={"type": "strng"}),
            f'{_SCHEMA}.properties[spec].properties[a].type: Unsupported value: "strng": supported values: "array", '
            '"boolean", "integer", "number", "object", "string"',
        ),
        (
            spec_schema(a={"type": "object", "oneOf": [{"type": "object"}]}),
            f"{_SCHEMA}.properties[spec].properties[a].oneOf[0].type: Forbidden: must be empty to be structural",
        ),
        (
            spec_schema(
                a={
                    "type": "object",
                    "properties": {"b": {"type": "string"}},
                    "additionalProperties": {"type": "string"},
                }
            ),
            f"{_SCHEMA}.properties[spec].properties[a].additionalProperties: Forbidden: additionalProperties and "
            "properties are mutual exclusive",
        ),
        (
            spec_schema(a={"type": "string", "pattern": "("}),
            f'{_SCHEMA}.properties[spec].properties[a].pattern: Invalid value: "(": must be a valid regular '
            "expression, but isn't: missing ), unterminated subpattern at position 0",
        ),
        (
            spec_schema(
                a={
                    "type": "array",
                    "items": {"type": "object", "properties": {"k": {"type": "string"}}},
                    "x-kubernetes-list-type": "map",
                    "x-kubernetes-list-map-keys": ["k"],
                }
            ),
            f"{_SCHEMA}.properties[spec].properties[a].items.properties[k].default: Required value: this property is "
            "in x-kubernetes-list-map-keys, so it must have a default or be a required property",
        ),
        (
            {
                "type": "object",
                "properties": {
                    "metadata": {"type": "object", "properties": {"labels": {"type": "object"}}}
                },
            },
            f"{_SCHEMA}.properties[metadata]: Forbidden: must not specify anything other than name and generateName, "
            "but metadata is implicitly specified",
        ),
        (
            spec_schema(a={"type": "object", "x-kubernetes-validations": [{"rule": ""}]}),
            f"{_SCHEMA}.properties[spec].properties[a].x-kubernetes-validations[0].rule: Required value: rule is not "
            "specified",
        ),
    ],
)
def test_schemas_that_are_not_structural(schema: Object, expected: str) -> None:
    assert wrong(crd(schema)) == [expected]


def test_names_scope_and_versions() -> None:
    assert wrong({**crd(), "metadata": {"name": "other"}}) == [
        'metadata.name: Invalid value: "other": must be spec.names.plural+"."+spec.group'
    ]
    assert wrong(crd(scope="Global")) == [
        'spec.scope: Unsupported value: "Global": supported values: "Cluster", "Namespaced"'
    ]
    version = {
        "name": "v1",
        "served": True,
        "storage": False,
        "schema": {"openAPIV3Schema": {"type": "object"}},
    }
    found = wrong(crd(versions=[version, version]))
    assert [line.rpartition(": ")[2] for line in found] == [
        "must contain unique version names",
        "must have exactly one version marked as storage version",
    ]
    no_schema = wrong(crd(versions=[{"name": "v1", "served": True, "storage": True}]))
    assert no_schema == [f"{_SCHEMA}: Required value: schemas are required"]


def test_columns_and_scale() -> None:
    version = {
        **crd()["spec"]["versions"][0],
        "additionalPrinterColumns": [{"name": "A", "type": "text", "jsonPath": "spec.a"}],
        "subresources": {
            "scale": {"specReplicasPath": ".replicas", "statusReplicasPath": ".status.replicas"}
        },
    }
    assert wrong(crd(versions=[version])) == [
        'spec.versions[0].additionalPrinterColumns[0].type: Invalid value: "text": must be one of '
        "boolean,date,integer,number,string",
        'spec.versions[0].additionalPrinterColumns[0].JSONPath: Invalid value: "spec.a": must be a simple json path '
        "starting with .",
        'spec.versions[0].subresources.scale.specReplicasPath: Invalid value: ".replicas": should be a json path '
        "under .spec",
    ]


def test_what_cannot_change() -> None:
    old = crd()
    schemas.for_builtin(refs.CRDS).default(old)
    validation.prepare_create(refs.CRDS, old)
    assert wrong(crd(scope="Cluster"), old) == [
        'spec.scope: Invalid value: "Cluster": field is immutable'
    ]
    renamed = crd()
    renamed["spec"]["versions"][0]["name"] = "v2"
    (refused,) = wrong(renamed, old)
    assert refused.startswith(
        'status.storedVersions[0]: Invalid value: "v1": missing from spec.versions'
    )
