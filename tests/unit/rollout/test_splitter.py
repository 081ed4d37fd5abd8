"""Setting weights in a cluster that is only pretended."""

from __future__ import annotations

from typing import Any

import pytest

from meshcourse.rollout.splitter import DESTINATION, VIRTUAL, Splitter
from meshcourse.rollout.weights import RolloutError


class Applied:
    def raise_on_error(self) -> None: ...


class Cluster:
    """Objects by kind; what was applied is kept, what was patched is merged at the top of the spec."""

    def __init__(self, *versions: str) -> None:
        pods = [{"metadata": {"labels": {"app": "reviews", "version": v}}} for v in versions]
        self.found: dict[str, list[Any]] = {"pods": pods, VIRTUAL: [], DESTINATION: []}
        self.calls: list[str] = []

    namespace = "default"

    def service(self, name: str, namespace: str) -> Any:
        return {"spec": {"selector": {"app": name}}}

    def objects(self, what: str, namespace: str, selector: str = "") -> list[Any]:
        assert namespace == "shop"
        return self.found[what]

    def apply(self, objects: list[Any], namespace: str) -> Applied:
        assert namespace == "shop"
        for obj in objects:
            kind = VIRTUAL if obj["kind"] == "VirtualService" else DESTINATION
            self.found[kind].append(obj)
            self.calls.append(f"apply {kind.partition('.')[0]}")
        return Applied()

    def patch(self, what: str, name: str, patch: Any, namespace: str) -> None:
        assert namespace == "shop"
        (obj,) = [each for each in self.found[what] if each["metadata"]["name"] == name]
        obj["spec"] |= patch["spec"]
        self.calls.append(f"patch {what.partition('.')[0]}")


def test_subsets_before_routes_then_only_weights() -> None:
    cluster = Cluster("v2", "v1", "v1")
    splitter = Splitter(cluster, "reviews", "shop")  # type: ignore[arg-type]
    assert splitter.versions == ["v1", "v2"]
    assert (splitter.current(), splitter.yaml()) == ({}, "")
    first = splitter.set({"v1": 80, "v2": 20})
    assert cluster.calls == ["apply destinationrules", "apply virtualservices"]
    assert first.before == {"v1": 1, "v2": 1}
    second = splitter.set({"v1": 100})
    assert cluster.calls[2:] == ["patch virtualservices"]
    assert second.before == {"v1": 80, "v2": 20}
    assert second.changes
    assert not splitter.set({"v1": 100, "v2": 0}).changes
    assert splitter.current() == {"v1": 100, "v2": 0}
    assert splitter.yaml() == second.yaml + (
        "    - destination: {host: reviews, subset: v2}\n      weight: 0\n"
    )


def test_subsets_of_somebody_else_stay() -> None:
    cluster = Cluster("v1", "v2")
    mine = {"name": "v1", "labels": {"version": "v1", "zone": "a"}}
    rule = {
        "metadata": {"name": "r"},
        "spec": {"host": "reviews.default.svc.cluster.local", "subsets": [mine]},
    }
    cluster.found[DESTINATION].append(rule)
    Splitter(cluster, "reviews", "shop").set({"v1": 100})  # type: ignore[arg-type]
    assert rule["spec"]["subsets"] == [mine, {"name": "v2", "labels": {"version": "v2"}}]  # type: ignore[index]
    assert "apply destinationrules" not in cluster.calls


def test_a_service_without_versions_cannot_be_split() -> None:
    with pytest.raises(RolloutError, match="label `version`"):
        Splitter(Cluster(), "reviews", "shop")  # type: ignore[arg-type]
