from __future__ import annotations

from typing import Any

import pytest

from meshcourse.embedded.kube.patches import jsonpatch, merge
from meshcourse.embedded.kube.patches.errors import PatchError, PatchFailed


@pytest.mark.parametrize(
    ("target", "patch", "expected"),
    [  # RFC 7386, appendix A
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"a": "b"}, ["c"], ["c"]),
        ({"a": "foo"}, None, None),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_merge(target: Any, patch: Any, expected: Any) -> None:
    before = repr(target)
    assert merge.apply(target, patch) == expected
    assert repr(target) == before


def test_json_patch_operations() -> None:
    target = {"spec": {"replicas": 1, "hosts": ["a"]}}
    operations = [
        {"op": "test", "path": "/spec/replicas", "value": 1},
        {"op": "replace", "path": "/spec/replicas", "value": 2},
        {"op": "add", "path": "/spec/hosts/-", "value": "b"},
        {"op": "add", "path": "/spec/a~1b", "value": {}},
        {"op": "move", "from": "/spec/hosts", "path": "/spec/names"},
        {"op": "remove", "path": "/spec/names/0"},
    ]
    changed = jsonpatch.apply(target, operations)
    assert changed == {"spec": {"replicas": 2, "a/b": {}, "names": ["b"]}}
    assert target == {"spec": {"replicas": 1, "hosts": ["a"]}}


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "test", "path": "/a", "value": 2},
        {"op": "remove", "path": "/missing"},
        {"op": "replace", "path": "/x/y", "value": 1},
        {"op": "add", "path": "/list/9", "value": 1},
    ],
)
def test_json_patch_that_cannot_be_done(operation: Any) -> None:
    with pytest.raises(PatchFailed):
        jsonpatch.apply({"a": 1, "list": []}, [operation])


@pytest.mark.parametrize("patch", [{}, "x", [{"op": "dance", "path": "/a"}], [{"path": "/a"}], [1]])
def test_json_patch_that_is_none(patch: Any) -> None:
    with pytest.raises(PatchError):
        jsonpatch.apply({"a": 1}, patch)
