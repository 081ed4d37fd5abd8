"""Schemas of custom resources: pruning, defaults, validation, structure."""

from __future__ import annotations

import copy
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshcourse.embedded.apiserver import schemas
from meshcourse.embedded.kube.objects import Object


def crd(spec: Object, *, generation: int = 0, **more: Any) -> Object:
    """A definition of ``Route`` whose spec has this schema."""
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec}, **more}},
    }
    metadata: Object = {"name": "routes.example.com"}
    if generation:
        metadata |= {"uid": "u", "generation": generation}
    return {
        "metadata": metadata,
        "spec": {
            "group": "example.com",
            "scope": "Namespaced",
            "names": {"plural": "routes", "kind": "Route"},
            "versions": [version],
        },
    }


def route(spec: Any) -> Object:
    return {
        "apiVersion": "example.com/v1",
        "kind": "Route",
        "metadata": {"name": "r"},
        "spec": spec,
    }


def found(schema: Object, spec: Any) -> list[str]:
    """``field: message`` of every cause."""
    causes = schemas.for_crd(crd(schema), "v1").validate(route(spec))
    return [f"{cause.field}: {cause.message}" for cause in causes]


def test_prunes_what_is_not_declared() -> None:
    schema = {
        "type": "object",
        "properties": {
            "list": {
                "type": "array",
                "items": {"type": "object", "properties": {"a": {"type": "string"}}},
            },
            "map": {
                "type": "object",
                "additionalProperties": {"type": "object", "properties": {"b": {"type": "string"}}},
            },
            "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
            "open": {"type": "object", "additionalProperties": True},
            "embedded": {
                "type": "object",
                "x-kubernetes-embedded-resource": True,
                "properties": {"spec": {"type": "object"}},
            },
        },
    }
    obj = route(
        {
            "x": 1,
            "list": [{"a": "1", "y": 2}],
            "map": {"k": {"b": "1", "z": 1}},
            "free": {"any": {"thing": 1}},
            "open": {"any": 1},
            "embedded": {
                "apiVersion": "v1",
                "kind": "K",
                "metadata": {"name": "n"},
                "spec": {},
                "q": 1,
            },
        }
    )
    obj["extra"] = True
    obj["metadata"]["typo"] = 1
    warned = schemas.for_crd(crd(schema), "v1").decode(obj, mode="Warn")
    assert warned == [
        'unknown field "metadata.typo"',
        'unknown field "extra"',
        'unknown field "spec.embedded.q"',
        'unknown field "spec.list[0].y"',
        'unknown field "spec.map.k.z"',
        'unknown field "spec.x"',
    ]
    assert obj == route(
        {
            "list": [{"a": "1"}],
            "map": {"k": {"b": "1"}},
            "free": {"any": {"thing": 1}},
            "open": {"any": 1},
            "embedded": {"apiVersion": "v1", "kind": "K", "metadata": {"name": "n"}, "spec": {}},
        }
    )


def test_strict_mode_names_the_kind() -> None:
    schema = schemas.for_crd(crd({"type": "object"}), "v1")
    with pytest.raises(schemas.DecodeError) as refused:
        schema.decode(route({"wieght": 1}), mode="Strict")
    assert refused.value.message == (
        'Route in version "v1" cannot be handled as a Route: strict decoding error: unknown field "spec.wieght"'
    )


def test_metadata_has_types_too() -> None:
    obj = {**route({}), "metadata": {"labels": {"a": 1}}}
    with pytest.raises(schemas.DecodeError) as refused:
        schemas.for_crd(crd({"type": "object"}), "v1").decode(obj, mode="Ignore")
    assert refused.value.detail == (
        "json: cannot unmarshal number into Go struct field ObjectMeta.metadata.labels of type string"
    )


def test_defaults_and_nulls() -> None:
    schema = {
        "type": "object",
        "default": {},
        "properties": {
            "mode": {"type": "string", "default": "A"},
            "deep": {"type": "object", "properties": {"n": {"type": "integer", "default": 1}}},
            "items": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {"p": {"type": "string", "default": "TCP"}},
                },
            },
            "nothing": {"type": "string", "nullable": True, "default": "x"},
            "gone": {"type": "string"},
        },
    }
    made = schemas.for_crd(crd(schema), "v1")
    obj = route(
        {"deep": {}, "items": [{}, {"p": "UDP"}], "mode": None, "nothing": None, "gone": None}
    )
    made.decode(obj, mode="Strict")
    made.default(obj)
    assert obj["spec"] == {
        "mode": "A",
        "deep": {"n": 1},
        "items": [{"p": "TCP"}, {"p": "UDP"}],
        "nothing": None,
    }
    assert made.validate(obj) == []
    empty = {"metadata": {"name": "r"}}
    made.default(empty)
    assert empty["spec"] == {"mode": "A", "nothing": "x"}
    empty["spec"]["mode"] = "changed"
    again = {"metadata": {"name": "r"}}
    made.default(again)
    assert again["spec"]["mode"] == "A", "defaults are copied"


def _object(**properties: Object) -> Object:
    return {"type": "object", "properties": properties}


@pytest.mark.parametrize(
    ("schema", "spec", "expected"),
    [
        (
            _object(hosts={"type": "array", "items": {"type": "string"}}),
            {"hosts": "h"},
            'spec.hosts: Invalid value: "string": spec.hosts in body must be of type array: "string"',
        ),
        (
            _object(hosts={"type": "array", "items": {"type": "string"}}),
            {"hosts": ["a", 1]},
            'spec.hosts[1]: Invalid value: "integer": spec.hosts[1] in body must be of type string: "integer"',
        ),
        (
            _object(n={"type": "integer"}),
            {"n": None},
            'spec.n: Invalid value: "null": spec.n in body must be of type integer: "null"',
        ),
        (
            _object(n={"type": "integer"}),
            {"n": 2.5},
            'spec.n: Invalid value: "number": spec.n in body must be of type integer: "number"',
        ),
        (
            _object(p={"x-kubernetes-int-or-string": True}),
            {"p": True},
            'spec.p: Invalid value: "boolean": spec.p in body must be of type integer,string: "boolean"',
        ),
        ({"type": "object", "required": ["a"]}, {}, "spec.a: Required value"),
        (
            _object(m={"type": "string", "enum": ["A", "B"]}),
            {"m": "C"},
            'spec.m: Unsupported value: "C": supported values: "A", "B"',
        ),
        (
            _object(s={"type": "string", "pattern": "^a+$"}),
            {"s": "b"},
            "spec.s: Invalid value: \"b\": spec.s in body should match '^a+$'",
        ),
        (
            _object(s={"type": "string", "minLength": 2}),
            {"s": "b"},
            'spec.s: Invalid value: "b": spec.s in body should be at least 2 chars long',
        ),
        (
            _object(s={"type": "string", "maxLength": 1}),
            {"s": "bb"},
            "spec.s: Too long: may not be more than 1 byte",
        ),
        (
            _object(n={"type": "integer", "minimum": 1}),
            {"n": 0},
            "spec.n: Invalid value: 0: spec.n in body should be greater than or equal to 1",
        ),
        (
            _object(n={"type": "number", "maximum": 1, "exclusiveMaximum": True}),
            {"n": 1},
            "spec.n: Invalid value: 1: spec.n in body should be less than 1",
        ),
        (
            _object(n={"type": "integer", "multipleOf": 5}),
            {"n": 7},
            "spec.n: Invalid value: 7: spec.n in body should be a multiple of 5",
        ),
        (
            _object(a={"type": "array", "minItems": 1, "items": {"type": "string"}}),
            {"a": []},
            "spec.a: Invalid value: 0: spec.a in body should have at least 1 items",
        ),
        (
            _object(a={"type": "array", "maxItems": 1, "items": {"type": "string"}}),
            {"a": ["x", "y"]},
            "spec.a: Too many: 2: must have at most 1 item",
        ),
        (
            _object(
                a={"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}}
            ),
            {"a": ["x", "x"]},
            'spec.a[1]: Duplicate value: "x"',
        ),
        (
            _object(t={"type": "string", "format": "date-time"}),
            {"t": "now"},
            'spec.t: Invalid value: "now": spec.t in body must be of type date-time: "now"',
        ),
        (
            {**_object(a={"type": "string"}), "not": {"required": ["a"]}},
            {"a": "x"},
            '<nil>: Invalid value: "": "spec" must not validate the schema (not)',
        ),
    ],
)
def test_wording(schema: Object, spec: Object, expected: str) -> None:
    assert found(schema, spec) == [expected]


def test_one_of_and_any_of() -> None:
    choices = [{"required": ["a"]}, {"required": ["b"]}]
    either = {**_object(a={"type": "string"}, b={"type": "string"}), "oneOf": choices}
    assert found(either, {"a": "x"}) == []
    assert found(either, {"a": "x", "b": "y"}) == [
        '<nil>: Invalid value: "": "spec" must validate one and only one schema (oneOf). Found 2 valid alternatives'
    ]
    assert found(either, {}) == [
        '<nil>: Invalid value: "": "spec" must validate one and only one schema (oneOf). Found none valid',
        "spec.a: Required value",
    ]
    any_of = {**either, "oneOf": [], "anyOf": choices}
    assert found(any_of, {"a": "x", "b": "y"}) == []
    assert (
        found(any_of, {})[0]
        == '<nil>: Invalid value: "": "spec" must validate at least one schema (anyOf)'
    )


def test_the_structure_follows_the_schema() -> None:
    schema = _object(
        ports={
            "type": "array",
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["port"],
            "items": _object(
                port={"type": "integer"}, protocol={"type": "string", "default": "TCP"}
            ),
        }
    )
    structure = schemas.for_crd(crd(schema), "v1").structure
    ports = structure.child("spec").child("ports")
    assert (ports.list_type, ports.list_map_keys) == ("map", ("port",))
    assert ports.items().child("protocol").default == "TCP"
    assert ports.merge_key == ""
    owners = structure.child("metadata").child("ownerReferences")
    assert owners.list_map_keys == ("uid",)
    assert structure.declares("spec")
    assert not structure.declares("nonsense")


def test_schemas_are_shared_until_the_definition_changes() -> None:
    first = schemas.for_crd(crd({"type": "object"}, generation=1), "v1")
    assert schemas.for_crd(crd({"type": "object"}, generation=1), "v1") is first
    assert schemas.for_crd(crd({"type": "object"}, generation=2), "v1") is not first
    with pytest.raises(LookupError, match="has no version v2"):
        schemas.for_crd(crd({"type": "object"}), "v2")


_SCHEMA: Object = {
    "type": "object",
    "required": ["hosts"],
    "properties": {
        "hosts": {
            "type": "array",
            "minItems": 1,
            "items": {"type": "string", "minLength": 1, "maxLength": 3},
        },
        "weight": {"type": "integer", "minimum": 0, "maximum": 100},
        "mode": {"type": "string", "enum": ["A", "B"]},
        "ratio": {"type": "number"},
        "on": {"type": "boolean"},
        "match": {
            "type": "object",
            "additionalProperties": {"type": "string"},
            "maxProperties": 2,
        },
        "choice": {
            "type": "object",
            "properties": {"x": {"type": "string"}, "y": {"type": "string"}},
            "oneOf": [{"required": ["x"]}, {"required": ["y"]}],
        },
    },
}
_SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 200),
    st.floats(0, 3),
    st.sampled_from(["", "A", "C", "long"]),
)
_VALUES = st.one_of(
    _SCALARS,
    st.lists(_SCALARS, max_size=3),
    st.dictionaries(st.sampled_from(["x", "y", "z"]), _SCALARS, max_size=3),
)


@given(st.dictionaries(st.sampled_from([*_SCHEMA["properties"], "other"]), _VALUES, max_size=5))
def test_agrees_with_a_json_schema_library(spec: Object) -> None:
    referee = jsonschema_rs.Draft4Validator(_SCHEMA)
    assert (found(_SCHEMA, copy.deepcopy(spec)) == []) == referee.is_valid(spec)
