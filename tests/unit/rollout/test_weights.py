"""Weights: what a VirtualService says, what a slider makes of them, what is refused."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from meshcourse.rollout import weights


def virtual_service(*routes: dict[str, Any], name: str = "reviews") -> dict[str, Any]:
    return {"metadata": {"name": name, "uid": "x"}, "spec": {"hosts": [name], "http": list(routes)}}


def part(subset: str = "", weight: int | None = None, host: str = "reviews", **more: Any) -> Any:
    found: dict[str, Any] = {"destination": {"host": host, **more}}
    if subset:
        found["destination"]["subset"] = subset
    return found | ({"weight": weight} if weight is not None else {})


def test_weights_are_read_from_the_last_route() -> None:
    canary = {"match": [{"headers": {}}], "route": [part("v2")]}
    found = virtual_service(canary, {"route": [part("v1", 80), part("v2", 20)]})
    assert weights.of(found, "reviews") == {"v1": 80, "v2": 20}
    assert weights.of(virtual_service({"route": [part("v1")]}), "reviews") == {"v1": 100}
    long = virtual_service({"route": [part("v1", 0, "reviews.default.svc.cluster.local")]})
    assert weights.of(long, "reviews") == {"v1": 100}


def test_without_subsets_nothing_divides() -> None:
    assert weights.of(None, "reviews") == {}
    assert weights.of(virtual_service({"route": [part()]}), "reviews") == {}
    other = virtual_service({"route": [part("v1", host="reviews2")]})
    assert weights.of(other, "reviews") == {}
    assert not weights.divides(other, "reviews")
    with pytest.raises(weights.RolloutError, match="no HTTP route to reviews"):
        weights.with_weights(other, "reviews", {"v1": 100})


def test_only_the_default_route_changes() -> None:
    canary = {"match": [{"headers": {"cookie": {"exact": "canary"}}}], "route": [part("v2")]}
    default = {"retries": {"attempts": 2}, "route": [part("v1", port={"number": 9080})]}
    found = virtual_service(canary, default, name="other")
    changed = weights.with_weights(found, "reviews", {"v1": 90, "v2": 10})
    assert changed["metadata"] == {"name": "other"}
    assert changed["spec"]["http"][0] == canary
    assert changed["spec"]["http"][1] == {
        "retries": {"attempts": 2},
        "route": [part("v1", 90, port={"number": 9080}), part("v2", 10, port={"number": 9080})],
    }
    assert default["route"] == [part("v1", port={"number": 9080})]
    assert yaml.safe_load(weights.text(changed)) == changed
    assert "port: {number: 9080}" in weights.text(changed)  # twice, and not as an alias
    assert "*" not in weights.text(changed)


def test_what_is_no_split_is_refused() -> None:
    known = ["v1", "v2"]
    assert weights.checked({"v1": 80, "v2": 20}, known) == {"v1": 80, "v2": 20}
    for wrong, why in (
        ({"v1": 80, "v2": 10}, "sum to 90"),
        ({"v1": 100, "v9": 0}, "no pod has version v9"),
        ({"v1": 120, "v2": -20}, "-20 is not a weight"),
        ({"v1": 99.5, "v2": 0.5}, "99.5 is not a weight"),
    ):
        with pytest.raises(weights.RolloutError, match=why):
            weights.checked(wrong, known)


def test_a_slider_takes_from_the_others_in_proportion() -> None:
    assert weights.rebalanced({"v1": 100, "v2": 0}, "v2", 20) == {"v1": 80, "v2": 20}
    assert weights.rebalanced({"v1": 60, "v2": 30, "v3": 10}, "v3", 55) == {
        "v1": 30, "v2": 15, "v3": 55,
    }  # fmt: skip
    assert weights.rebalanced({"v1": 0, "v2": 100, "v3": 0}, "v2", 40) == {
        "v1": 30, "v2": 40, "v3": 30,
    }  # fmt: skip
    assert weights.rebalanced({"v1": 100}, "v1", 3) == {"v1": 100}


@given(
    st.lists(st.integers(0, 100), min_size=1, max_size=5),
    st.integers(0, 4),
    st.floats(-5, 110),
)
def test_sliders_always_sum_to_a_hundred(parts: list[int], index: int, percent: float) -> None:
    before = {f"v{number}": value for number, value in enumerate(parts)}
    version = f"v{index % len(parts)}"
    after = weights.rebalanced(before, version, percent)
    assert sum(after.values()) == 100
    assert all(value >= 0 for value in after.values())
    assert list(after) == list(before)
    if len(parts) > 1:
        assert after[version] == min(100, max(0, round(percent)))
