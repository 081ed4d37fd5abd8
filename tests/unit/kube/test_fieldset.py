from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshcourse.embedded.kube.patches import fieldset, typed
from tests.unit.kube.structures import OBJECT

_ELEMENTS = st.sampled_from(["f:a", "f:b", 'k:{"name":"x"}', 'v:"y"', "f:spec"])
_PATHS = st.frozensets(st.lists(_ELEMENTS, min_size=1, max_size=4).map(tuple), max_size=12)


@given(_PATHS)
def test_sets_survive_the_wire(fields: fieldset.FieldSet) -> None:
    assert fieldset.from_v1(fieldset.to_v1(fields)) == fields


def test_the_form_on_the_wire() -> None:
    paths = {("f:spec",), ("f:spec", "f:replicas"), ("f:data", "f:k")}
    assert fieldset.to_v1(paths) == {
        "f:data": {"f:k": {}},
        "f:spec": {".": {}, "f:replicas": {}},
    }


def test_paths_in_messages() -> None:
    path = ("f:spec", 'k:{"containerPort":80,"protocol":"TCP"}', "f:name")
    assert fieldset.text(path) == '.spec[containerPort=80,protocol="TCP"].name'
    assert fieldset.text(("f:finalizers", 'v:"x"')) == '.finalizers[="x"]'


def test_records_that_clients_have_spoilt() -> None:
    assert fieldset.from_v1({"f:a": "x", "f:b": None}) == {("f:a",), ("f:b",)}
    assert fieldset.text(("f:a", "k:oops", "k:1")) == ".a[oops][1]"


def found(value: Any) -> Any:
    return fieldset.to_v1(typed.field_set(value, OBJECT))


@pytest.mark.parametrize(
    ("value", "fields"),
    [
        ({"spec": {"replicas": 1}}, {"f:spec": {"f:replicas": {}}}),
        ({"spec": {}}, {"f:spec": {}}),
        ({"spec": {"selector": {"a": "b"}}}, {"f:spec": {"f:selector": {}}}),
        ({"spec": {"hosts": ["a"]}}, {"f:spec": {"f:hosts": {}}}),
        ({"data": {"k": "v"}}, {"f:data": {"f:k": {}}}),
        (
            {"metadata": {"finalizers": ["a"]}},
            {"f:metadata": {"f:finalizers": {'v:"a"': {}}}},
        ),
        (
            {"spec": {"containers": [{"name": "web", "image": "i"}]}},
            {
                "f:spec": {
                    "f:containers": {'k:{"name":"web"}': {".": {}, "f:image": {}, "f:name": {}}}
                }
            },
        ),
        (
            {"spec": {"containers": [{"name": "c", "ports": [{"containerPort": 80}]}]}},
            {
                "f:spec": {
                    "f:containers": {
                        'k:{"name":"c"}': {
                            ".": {},
                            "f:name": {},
                            "f:ports": {
                                'k:{"containerPort":80,"protocol":"TCP"}': {
                                    ".": {},
                                    "f:containerPort": {},
                                }
                            },
                        }
                    }
                }
            },
        ),
    ],
)
def test_the_fields_of_a_configuration(value: Any, fields: Any) -> None:
    assert found(value) == fields


def test_comparing_finds_what_was_added_changed_and_removed() -> None:
    old = {"spec": {"replicas": 1, "hosts": ["a"]}, "data": {"x": "1"}}
    new = {"spec": {"replicas": 2, "hosts": ["a"], "paused": True}}
    change = typed.compare(old, new, OBJECT)
    assert change.added == {("f:spec", "f:paused")}
    assert change.modified == {("f:spec", "f:replicas")}
    assert change.removed == {("f:data",), ("f:data", "f:x")}


def test_comparing_keyed_lists_ignores_their_order() -> None:
    one, two = {"name": "a", "image": "1"}, {"name": "b"}
    old = {"spec": {"containers": [one, two]}}
    new = {"spec": {"containers": [two, {**one, "image": "2"}]}}
    change = typed.compare(old, new, OBJECT)
    assert change.modified == {("f:spec", "f:containers", 'k:{"name":"a"}', "f:image")}
    assert not change.added
    assert not change.removed


def test_merging_keeps_what_only_one_side_has() -> None:
    live = {"spec": {"containers": [{"name": "a"}, {"name": "b", "image": "1"}, {"name": "c"}]}}
    config = {"spec": {"containers": [{"name": "new"}, {"name": "b", "image": "2"}]}}
    merged = typed.merge(live, config, OBJECT)["spec"]["containers"]
    assert [item["name"] for item in merged] == ["a", "new", "b", "c"]
    assert merged[2]["image"] == "2"


def test_removing_everything_of_a_map_removes_the_map() -> None:
    value = {"data": {"a": "1"}, "spec": {"replicas": 1}}
    rest = typed.remove(value, frozenset({("f:data", "f:a")}), OBJECT)
    assert rest == {"spec": {"replicas": 1}}
    assert typed.remove({"data": {"a": "1"}}, frozenset({("f:data",)}), OBJECT) is typed.MISSING
