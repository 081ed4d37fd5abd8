from __future__ import annotations

from typing import Any

import pytest

from meshcourse.embedded.kube import objects
from meshcourse.embedded.kube.patches import strategic
from meshcourse.embedded.kube.patches.errors import PatchError
from meshcourse.embedded.kube.patches.meta import UNKNOWN
from tests.unit.kube.structures import OBJECT

LIVE: Any = {
    "metadata": {"name": "web", "labels": {"a": "1"}, "finalizers": ["x", "y"]},
    "spec": {
        "replicas": 2,
        "hosts": ["a", "b"],
        "selector": {"app": "web"},
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}},
        "containers": [
            {"name": "web", "image": "i:1", "env": [{"name": "A", "value": "1"}]},
            {"name": "log", "image": "l:1"},
        ],
    },
}


def spec(patch: Any) -> Any:
    changed = strategic.apply(LIVE, {"spec": patch}, OBJECT)
    return changed["spec"]


def names(items: list[Any]) -> list[str]:
    return [item["name"] for item in items]


def test_maps_merge_and_null_deletes() -> None:
    patch = {"metadata": {"labels": {"b": "2", "a": None}}}
    changed = strategic.apply(LIVE, patch, OBJECT)
    assert changed["metadata"]["labels"] == {"b": "2"}
    assert changed["spec"] == LIVE["spec"]


def test_the_target_is_left_alone() -> None:
    before = objects.clone(LIVE)
    spec({"containers": [{"name": "web", "env": [{"name": "A", "$patch": "delete"}]}]})
    assert before == LIVE


def test_keyed_lists_merge_by_key() -> None:
    patch = {"containers": [{"name": "web", "env": [{"name": "B", "value": "2"}]}, {"name": "new"}]}
    found = spec(patch)["containers"]
    assert names(found) == ["web", "log", "new"]
    assert found[0] == {
        "name": "web",
        "image": "i:1",
        "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
    }


def test_an_element_is_deleted_by_directive() -> None:
    assert names(spec({"containers": [{"name": "web", "$patch": "delete"}]})["containers"]) == [
        "log"
    ]


def test_a_list_is_replaced_by_directive() -> None:
    patch = {"containers": [{"$patch": "replace"}, {"name": "only"}]}
    assert spec(patch)["containers"] == [{"name": "only"}]


def test_a_map_is_replaced_or_deleted_by_directive() -> None:
    assert spec({"strategy": {"$patch": "replace", "type": "Recreate"}})["strategy"] == {
        "type": "Recreate"
    }
    assert "strategy" not in spec({"strategy": {"$patch": "delete"}})
    assert spec({"strategy": {"$patch": "merge", "type": "X"}})["strategy"]["type"] == "X"


def test_retain_keys_drops_the_others() -> None:
    patch = {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}
    assert spec(patch)["strategy"] == {"type": "Recreate"}


def test_retain_keys_must_name_what_is_patched() -> None:
    with pytest.raises(PatchError, match="retainKeys list doesn't contain all fields"):
        spec({"strategy": {"$retainKeys": [], "type": "Recreate"}})


def test_primitive_lists_with_strategy_merge_are_united() -> None:
    changed = strategic.apply(LIVE, {"metadata": {"finalizers": ["z", "x"]}}, OBJECT)
    assert changed["metadata"]["finalizers"] == ["x", "y", "z"]


def test_primitives_are_deleted_by_directive() -> None:
    patch = {"metadata": {"$deleteFromPrimitiveList/finalizers": ["x"]}}
    assert strategic.apply(LIVE, patch, OBJECT)["metadata"]["finalizers"] == ["y"]


def test_lists_without_strategy_are_replaced() -> None:
    assert spec({"hosts": ["c"]})["hosts"] == ["c"]


def test_replaced_fields_are_not_merged() -> None:
    live = {"spec": {"template": {"spec": {"volumes": "a"}}}}
    changed = strategic.apply(live, {"spec": {"template": {"x": 1}}}, OBJECT)
    assert changed["spec"]["template"] == {"x": 1}


def test_the_order_of_elements() -> None:
    patch = {
        "$setElementOrder/containers": [{"name": "new"}, {"name": "log"}, {"name": "web"}],
        "containers": [{"name": "new", "image": "n"}],
    }
    assert names(spec(patch)["containers"]) == ["new", "log", "web"]


def test_an_order_alone_moves_elements() -> None:
    patch = {"$setElementOrder/containers": [{"name": "log"}, {"name": "web"}]}
    assert names(spec(patch)["containers"]) == ["log", "web"]


def test_elements_that_the_order_does_not_name_keep_their_place() -> None:
    live = {"spec": {"containers": [{"name": n} for n in "abcd"]}}
    patch = {"$setElementOrder/containers": [{"name": "c"}, {"name": "b"}]}
    changed = strategic.apply(live, {"spec": patch}, OBJECT)
    assert names(changed["spec"]["containers"]) == ["a", "c", "b", "d"]


@pytest.mark.parametrize(
    ("patch", "message"),
    [
        ({"containers": [{"image": "x"}]}, "does not contain declared merge key: name"),
        ({"containers": ["x"]}, "expected list element to be map"),
        ({"strategy": {"$patch": "dance"}}, "unknown patch type found: dance"),
        ({"$deleteFromPrimitiveList/hosts": "a"}, "invalid patch format"),
        ({"strategy": {"$retainKeys": "type"}}, "invalid patch format"),
    ],
)
def test_malformed_patches(patch: Any, message: str) -> None:
    with pytest.raises(PatchError, match=message):
        spec(patch)


def test_directives_never_end_up_in_the_object() -> None:
    patch = {"spec": {"new": {"$patch": "replace", "a": [{"$patch": "delete", "b": 1}], "c": None}}}
    changed = strategic.apply({}, patch, UNKNOWN)
    assert changed == {"spec": {"new": {"a": []}}}
