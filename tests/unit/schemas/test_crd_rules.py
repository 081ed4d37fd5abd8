"""Rules in CEL, run against custom resources."""

from __future__ import annotations

from typing import Any

from meshcourse.embedded.apiserver import schemas
from tests.unit.schemas.test_custom import crd, route


def found(schema: Any, spec: Any, old: Any = None) -> list[str]:
    made = schemas.for_crd(crd(schema), "v1")
    before = None if old is None else route(old)
    return [f"{cause.field}: {cause.message}" for cause in made.validate(route(spec), before)]


def ruled(*rules: Any, **more: Any) -> Any:
    """An object with a number ``n`` and a list ``l``, and these rules."""
    properties = {"n": {"type": "integer"}, "l": {"type": "array", "items": {"type": "integer"}}}
    return {
        "type": "object",
        "properties": properties,
        "x-kubernetes-validations": list(rules),
        **more,
    }


def test_message_and_path() -> None:
    rule = {"rule": "self.n < 5", "message": " too many\n"}
    assert found(ruled(rule), {"n": 3}) == []
    assert found(ruled(rule), {"n": 7}) == ['spec: Invalid value: "object": too many']
    assert found(ruled({"rule": "self.n < 5"}), {"n": 7}) == [
        'spec: Invalid value: "object": failed rule: self.n < 5'
    ]
    pointed = {**rule, "fieldPath": ".n", "reason": "FieldValueForbidden"}
    assert found(ruled(pointed), {"n": 7}) == ["spec.n: Forbidden: too many"]


def test_message_expression() -> None:
    rule = {
        "rule": "self.n < 5",
        "message": "plain",
        "messageExpression": "'found ' + string(self.n)",
    }
    assert found(ruled(rule), {"n": 7}) == ['spec: Invalid value: "object": found 7']
    broken = {**rule, "messageExpression": "self.missing"}
    assert found(ruled(broken), {"n": 7}) == ['spec: Invalid value: "object": plain']


def test_rules_at_every_depth() -> None:
    schema = {
        "type": "object",
        "properties": {
            "l": {
                "type": "array",
                "items": {
                    "type": "string",
                    "x-kubernetes-validations": [{"rule": "self != '*'", "message": "no"}],
                },
            },
            "m": {
                "type": "object",
                "additionalProperties": {
                    "type": "integer",
                    "x-kubernetes-validations": [{"rule": "self > 0", "message": "positive"}],
                },
            },
        },
    }
    assert found(schema, {"l": ["a", "*"], "m": {"x": 0, "y": 1}}) == [
        'spec.l[1]: Invalid value: "string": no',
        'spec.m.x: Invalid value: "integer": positive',
    ]


def test_a_rule_that_cannot_be_evaluated() -> None:
    rule = {"rule": "self.n < 5", "message": "small"}
    assert found(ruled(rule), {}) == [
        'spec: Invalid value: "object": no such key: n evaluating rule: small'
    ]


def test_rules_wait_for_types() -> None:
    assert found(ruled({"rule": "self.n < 5"}), {"n": "x"}) == [
        'spec.n: Invalid value: "string": spec.n in body must be of type integer: "string"',
        "<nil>: Invalid value: null: some validation rules were not checked because the object was invalid; correct "
        "the existing errors to complete validation",
    ]


def test_transitions() -> None:
    rule = {"rule": "self == oldSelf", "message": "is fixed"}
    schema = {
        "type": "object",
        "properties": {
            "kind": {"type": "string", "x-kubernetes-validations": [rule]},
            "ports": {
                "type": "array",
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["name"],
                "items": {
                    "type": "object",
                    "properties": {
                        "name": {"type": "string"},
                        "port": {"type": "integer", "x-kubernetes-validations": [rule]},
                    },
                },
            },
            "plain": {
                "type": "array",
                "items": {"type": "integer", "x-kubernetes-validations": [rule]},
            },
        },
    }
    assert found(schema, {"kind": "a"}) == []
    assert found(schema, {"kind": "b"}, {"kind": "a"}) == [
        'spec.kind: Invalid value: "string": is fixed'
    ]
    assert found(schema, {"kind": "b"}, {}) == []
    moved = {"ports": [{"name": "y", "port": 2}, {"name": "x", "port": 9}]}
    assert found(
        schema, moved, {"ports": [{"name": "x", "port": 1}, {"name": "y", "port": 2}]}
    ) == ['spec.ports[1].port: Invalid value: "integer": is fixed']
    assert found(schema, {"plain": [2]}, {"plain": [1]}) == [], (
        "elements of plain lists have no past"
    )


def test_what_is_not_known_is_not_evaluated() -> None:
    assert found(ruled({"rule": "quantity('1').isLessThan(quantity('2'))"}), {}) == []
