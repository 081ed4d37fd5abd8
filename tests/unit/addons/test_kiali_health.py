"""Thresholds, replicas, and health of the members of a namespace."""

from __future__ import annotations

import pytest

from meshcourse.embedded.addons.kiali import health, members
from meshcourse.embedded.addons.kiali.graph.build import Sample
from tests.unit.addons.kiali_mesh import mesh, sample


@pytest.mark.parametrize(
    ("protocol", "codes", "state"),
    [
        ("http", {"200": 1}, "Healthy"),
        ("http", {"200": 99, "500": 1}, "Degraded"),
        ("http", {"200": 90.1, "503": 9.9}, "Degraded"),
        ("http", {"200": 90, "503": 10}, "Failure"),
        ("http", {"200": 91, "404": 9}, "Healthy"),
        ("http", {"200": 90, "404": 10}, "Degraded"),
        ("http", {"200": 80, "404": 20}, "Failure"),
        ("http", {"200": 95, "500": 3, "503": 2}, "Degraded"),
        ("http", {"200": 90, "-": 10}, "Failure"),
        ("grpc", {"0": 90, "14": 10}, "Failure"),
        ("grpc", {"0": 90, "16": 1, "1": 1}, "Degraded"),
        ("grpc", {"0": 90, "17": 10}, "Healthy"),
        ("http", {}, "NA"),
        ("http", {"200": 0}, "NA"),
    ],
)
def test_thresholds(protocol: str, codes: dict[str, float], state: str) -> None:
    assert health.of_codes(protocol, codes)[0] == state


@pytest.mark.parametrize(
    ("replicas", "state"),
    [
        ((1, 1, 1, 1), "Healthy"),
        ((1, 1, 1, -1), "Healthy"),
        ((0, 0, 0, -1), "Not Ready"),
        ((2, 2, 1, -1), "Degraded"),
        ((1, 1, 0, -1), "Failure"),
        ((1, 2, 1, -1), "Failure"),
        ((2, 2, 2, 1), "Degraded"),
        ((1, 2, 2, -1), "Degraded"),
    ],
)
def test_replicas(replicas: tuple[int, int, int, int], state: str) -> None:
    names = ("desiredReplicas", "currentReplicas", "availableReplicas", "syncedProxies")
    assert health.of_replicas(dict(zip(names, replicas, strict=True))) == state
    assert health.of_replicas(None) == "NA"


def test_the_worst_wins() -> None:
    found = health.of_requests({"http": {"200": 1}}, {"grpc": {"0": 1, "2": 1}})
    assert found == ("Failure", 50.0)
    assert health.worst(["Healthy", "Degraded", "Not Ready"]) == "Degraded"
    assert health.worst([]) == "NA"


def test_members() -> None:
    seen = sample("productpage-v1", "reviews-v2", 2, "source", response_code="503")
    asked = {
        "inbound": [
            sample("productpage-v1", "reviews-v1", 3),
            sample("productpage-v1", "reviews-v1", 3.5, "source"),
            seen,
        ],
        "outbound": [seen, sample("productpage-v1", "reviews-v1", 3)],
    }
    services = members.of_namespace("service", mesh(), "default", asked)
    assert services["reviews"]["requests"]["inbound"] == {"http": {"200": 3.5, "503": 2}}
    assert services["reviews"]["status"]["status"] == "Failure"
    assert services["details"]["status"]["status"] == "NA"
    workloads = members.of_namespace("workload", mesh(), "default", asked)
    assert workloads["reviews-v1"]["status"]["status"] == "Healthy"
    assert workloads["productpage-v1"]["requests"]["outbound"] == {"http": {"503": 2}}
    apps = members.of_namespace("app", mesh(), "default", asked)
    assert [one["name"] for one in apps["reviews"]["workloadStatuses"]] == [
        "reviews-v1",
        "reviews-v2",
    ]


def test_buckets() -> None:
    nothing: dict[str, list[Sample]] = {"inbound": [], "outbound": []}
    found = members.of_namespace("workload", mesh(), "default", nothing)
    assert len(health.buckets(found)["inSuccess"]) == 5
