"""Tables of who owns what after a sequence of applies and updates."""

from __future__ import annotations

from typing import Any

import pytest

from meshcourse.embedded.kube.patches import fieldset, managed
from meshcourse.embedded.kube.patches.managed import ApplyConflict, Manager, Owner
from tests.unit.kube.structures import OBJECT

NOW, LATER = "2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z"


class World:
    """One object and its owners, changed by named managers."""

    def __init__(self) -> None:
        self.object: Any = {}
        self.owners: list[Owner] = []

    def apply(self, name: str, config: Any, *, force: bool = False, now: str = NOW) -> Any:
        manager = Manager(name, "Apply", "v1")
        self.object, self.owners = managed.apply(
            self.object, config, self.owners, OBJECT, manager, now, force=force
        )
        return self.object

    def update(self, name: str, new: Any, subresource: str = "", now: str = NOW) -> None:
        manager = Manager(name, "Update", "v1", subresource)
        self.owners = managed.update(self.object, new, self.owners, OBJECT, manager, now)
        self.object = new

    def owned(self, name: str) -> Any:
        """The fields of a manager in wire form; None if it has no entry."""
        entries = managed.render(self.owners)
        found = [entry["fieldsV1"] for entry in entries if entry["manager"] == name]
        return found[0] if found else None


@pytest.fixture
def world() -> World:
    return World()


def test_an_applier_owns_what_it_applies(world: World) -> None:
    world.apply("a", {"data": {"x": "1"}, "metadata": {"name": "n"}})
    assert world.owned("a") == {"f:data": {"f:x": {}}}


def test_two_appliers_of_different_fields(world: World) -> None:
    world.apply("a", {"data": {"x": "1"}})
    assert world.apply("b", {"data": {"y": "2"}}) == {"data": {"x": "1", "y": "2"}}
    assert world.owned("a") == {"f:data": {"f:x": {}}}
    assert world.owned("b") == {"f:data": {"f:y": {}}}


def test_the_same_value_is_owned_together(world: World) -> None:
    world.apply("a", {"data": {"x": "1"}})
    world.apply("b", {"data": {"x": "1"}})
    assert world.owned("a") == world.owned("b") == {"f:data": {"f:x": {}}}
    world.apply("a", {"metadata": {"name": "n"}})
    assert world.object["data"] == {"x": "1"}  # b still wants it
    assert world.owned("a") is None


def test_a_different_value_is_a_conflict(world: World) -> None:
    world.apply("a", {"spec": {"replicas": 1}})
    with pytest.raises(ApplyConflict) as caught:
        world.apply("b", {"spec": {"replicas": 2}})
    assert str(caught.value) == 'Apply failed with 1 conflict: conflict with "a": .spec.replicas'


def test_force_takes_the_field(world: World) -> None:
    world.apply("a", {"spec": {"replicas": 1, "paused": True}})
    assert world.apply("b", {"spec": {"replicas": 2}}, force=True)["spec"]["replicas"] == 2
    assert world.owned("a") == {"f:spec": {"f:paused": {}}}
    assert world.owned("b") == {"f:spec": {"f:replicas": {}}}


def test_conflict_with_an_updater_names_the_version(world: World) -> None:
    world.apply("a", {"spec": {"replicas": 1}})
    world.update("scaler", {"spec": {"replicas": 5}})
    with pytest.raises(ApplyConflict) as caught:
        world.apply("a", {"spec": {"replicas": 1}})
    expected = 'Apply failed with 1 conflict: conflict with "scaler" using v1: .spec.replicas'
    assert str(caught.value) == expected


def test_conflict_with_a_subresource_says_so(world: World) -> None:
    world.update("hpa", {"spec": {"replicas": 5}}, subresource="scale")
    with pytest.raises(
        ApplyConflict, match='conflict with "hpa" with subresource "scale" using v1'
    ):
        world.apply("a", {"spec": {"replicas": 1}})


def test_many_conflicts_are_listed_by_manager(world: World) -> None:
    world.update("u", {"data": {"x": "1", "y": "1"}})
    world.apply("a", {"spec": {"replicas": 1}})
    with pytest.raises(ApplyConflict) as caught:
        world.apply("b", {"data": {"x": "2", "y": "2"}, "spec": {"replicas": 2}})
    assert str(caught.value) == (
        'Apply failed with 3 conflicts: conflicts with "a":\n- .spec.replicas\n'
        'conflicts with "u" using v1:\n- .data.x\n- .data.y'
    )


def test_what_is_applied_no_more_goes(world: World) -> None:
    world.apply("a", {"data": {"x": "1", "y": "2"}, "spec": {"replicas": 1}})
    assert world.apply("a", {"data": {"x": "1"}}) == {"data": {"x": "1"}}
    assert world.owned("a") == {"f:data": {"f:x": {}}}


def test_what_others_updated_stays(world: World) -> None:
    world.apply("a", {"data": {"x": "1"}})
    world.update("u", {"data": {"x": "1", "y": "2"}})
    world.apply("a", {"metadata": {"labels": {"l": "1"}}})
    assert world.object == {"data": {"y": "2"}, "metadata": {"labels": {"l": "1"}}}


def test_an_element_of_a_keyed_list_goes(world: World) -> None:
    both = [{"name": "a", "image": "1"}, {"name": "b", "image": "1"}]
    world.apply("m", {"spec": {"containers": both}})
    world.apply("m", {"spec": {"containers": both[1:]}})
    assert world.object == {"spec": {"containers": both[1:]}}


def test_an_element_that_others_add_to_stays_with_their_part(world: World) -> None:
    world.apply("m", {"spec": {"containers": [{"name": "a", "image": "1"}]}})
    world.apply("n", {"spec": {"containers": [{"name": "a", "args": ["x"]}]}})
    world.apply("m", {"spec": {"replicas": 1}})
    assert world.object["spec"]["containers"] == [{"name": "a", "args": ["x"]}]


def test_members_of_a_set_are_owned_one_by_one(world: World) -> None:
    world.apply("a", {"metadata": {"finalizers": ["x"]}})
    world.apply("b", {"metadata": {"finalizers": ["y"]}})
    assert world.object["metadata"]["finalizers"] == ["x", "y"]
    world.apply("a", {"spec": {"paused": True}})
    assert world.object["metadata"]["finalizers"] == ["y"]


def test_atomic_maps_and_lists_are_replaced_whole(world: World) -> None:
    world.apply("a", {"spec": {"selector": {"app": "x"}, "hosts": ["1"]}})
    with pytest.raises(ApplyConflict, match=r"\.spec\.selector"):
        world.apply("b", {"spec": {"selector": {"tier": "y"}}})
    world.apply("a", {"spec": {"selector": {"tier": "y"}, "hosts": ["2", "3"]}})
    assert world.object == {"spec": {"selector": {"tier": "y"}, "hosts": ["2", "3"]}}


def test_an_update_takes_what_it_changes_from_appliers(world: World) -> None:
    world.apply("a", {"data": {"x": "1", "y": "1"}})
    world.update("u", {"data": {"x": "2", "y": "1"}})
    assert world.owned("a") == {"f:data": {"f:y": {}}}
    assert world.owned("u") == {"f:data": {"f:x": {}}}


def test_removing_a_field_by_update_removes_it_from_every_owner(world: World) -> None:
    world.apply("a", {"data": {"x": "1"}, "spec": {"replicas": 1}})
    world.update("u", {"spec": {"replicas": 1}})
    assert world.owned("a") == {"f:spec": {"f:replicas": {}}}
    assert world.owned("u") is None


def test_a_new_map_belongs_to_whoever_adds_it(world: World) -> None:
    world.update("u", {"data": {"x": "1"}})
    assert world.owned("u") == {"f:data": {".": {}, "f:x": {}}}


def test_times_move_only_when_something_happens(world: World) -> None:
    world.apply("a", {"data": {"x": "1"}})
    world.apply("a", {"data": {"x": "1"}}, now=LATER)
    assert [owner.time for owner in world.owners] == [NOW]
    world.apply("a", {"data": {"x": "2"}}, now=LATER)
    assert [owner.time for owner in world.owners] == [LATER]
    world.update("u", world.object)
    assert len(world.owners) == 1


def test_system_fields_belong_to_nobody(world: World) -> None:
    meta = {"name": "n", "namespace": "d", "uid": "1", "resourceVersion": "3", "generation": 1}
    world.update("u", {"apiVersion": "v1", "kind": "X", "metadata": {**meta, "labels": {"a": "b"}}})
    assert world.owned("u") == {"f:metadata": {"f:labels": {".": {}, "f:a": {}}}}


def test_entries_survive_the_wire_and_are_ordered(world: World) -> None:
    world.update("u", {"data": {"x": "1"}})
    world.apply("z", {"spec": {"replicas": 1}})
    world.apply("a", {"spec": {"paused": True}})
    entries = managed.render(world.owners)
    assert [(entry["operation"], entry["manager"]) for entry in entries] == [
        ("Apply", "a"),
        ("Apply", "z"),
        ("Update", "u"),
    ]
    assert managed.render(managed.read(entries)) == entries
    assert managed.read([{}, {"operation": "Apply"}]) == []


def test_the_oldest_of_many_updaters_are_put_together(world: World) -> None:
    data: dict[str, str] = {}
    for number in range(14):
        data = {**data, f"k{number:02}": "v"}
        world.update(f"u{number:02}", {"data": data}, now=f"2026-01-01T00:00:{number:02}Z")
    entries = managed.render(world.owners)
    names = [entry["manager"] for entry in entries]
    assert names == ["ancient-changes", *(f"u{number:02}" for number in range(5, 14))]
    assert entries[0]["time"] == "2026-01-01T00:00:04Z"
    owned = {key for key in entries[0]["fieldsV1"]["f:data"] if key != "."}
    assert owned == {f"f:k{number:02}" for number in range(5)}


def test_fields_that_exist_in_go_without_being_set(world: World) -> None:
    new = {"spec": {"replicas": 1, "containers": [{"name": "a"}]}, "data": {"x": "1"}}
    before = managed.before_creation(new, OBJECT)
    assert before == {"spec": {"containers": []}}
    world.object = before
    world.update("u", new)
    assert world.owned("u") == {
        "f:data": {".": {}, "f:x": {}},
        "f:spec": {
            "f:containers": {'k:{"name":"a"}': {".": {}, "f:name": {}}},
            "f:replicas": {},
        },
    }


def test_messages_name_the_path_in_keyed_lists(world: World) -> None:
    world.apply("a", {"spec": {"containers": [{"name": "w", "image": "1"}]}})
    with pytest.raises(ApplyConflict, match=r'\.spec\.containers\[name="w"\]\.image'):
        world.apply("b", {"spec": {"containers": [{"name": "w", "image": "2"}]}})
    assert fieldset.text(("f:spec",)) == ".spec"
