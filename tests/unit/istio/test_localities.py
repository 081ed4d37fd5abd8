"""Locality load balancing: weights and priorities, as a client at a place sees the endpoints."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshcourse.embedded.istio import localities
from meshcourse.embedded.istio.localities import Client, Group, Setting
from meshcourse.embedded.istio.model import Endpoint
from tests.unit.istio.mesh import bookinfo

REGIONS = ("r1/z1/s1", "r1/z1/s2", "r1/z2/s1", "r2/z1/s1", "r3/z1/s1")


def endpoint(number: int, locality: str, **labels: str) -> Endpoint:
    return Endpoint(f"1.1.1.{number}", 80, tuple(sorted(labels.items())), locality=locality)


def spread() -> list[Group]:
    """One endpoint at each place."""
    return localities.groups(endpoint(number, one) for number, one in enumerate(REGIONS))


def arranged(written: dict[str, Any], client: str = "r1/z1/s1", **labels: str) -> list[Group]:
    return localities.arrange(spread(), Client(client, labels), Setting(written, failover=True))


def priorities(found: Sequence[Group]) -> dict[str, int]:
    return {one.locality: one.priority for one in found}


@pytest.mark.parametrize(
    ("locality", "pattern", "expected"),
    [
        ("r1/z1/s1", "*", True),
        ("r1/z1/s1", "r1", True),
        ("r1/z1/s1", "r1/*", True),
        ("r1/z1/s1", "r1/z1/*", True),
        ("r1/z1/s1", "r1/z2/*", False),
        ("r1/z1/s1", "r1/z1/s2", False),
        ("r1", "r1/z1", False),
        ("", "r1", False),
        ("", "*", True),
    ],
)
def test_patterns(locality: str, pattern: str, expected: bool) -> None:
    assert localities.matches(locality, pattern) is expected


def test_near_before_far() -> None:
    found = priorities(arranged({}))
    assert found == dict(zip(REGIONS, (0, 1, 2, 3, 3), strict=True))


def test_a_region_to_fail_over_to() -> None:
    found = priorities(arranged({"failover": [{"from": "r1", "to": "r3"}]}))
    assert found == dict(zip(REGIONS, (0, 1, 2, 4, 3), strict=True))


def test_priorities_have_no_gaps() -> None:
    found = priorities(arranged({}, client="r3/z9/s9"))
    assert found == {one: 0 if one.startswith("r3") else 1 for one in REGIONS}


def test_distribution_by_weight() -> None:
    to = {"r1/z1/*": 80, "r2/*": 20}
    found = arranged({"distribute": [{"from": "r1/*", "to": to}]})
    assert {one.locality: one.weight for one in found} == {
        "r1/z1/s1": 40,
        "r1/z1/s2": 40,
        "r2/z1/s1": 20,
    }
    others = arranged({"distribute": [{"from": "r9/*", "to": to}]})
    assert others == spread()


def test_failover_by_labels() -> None:
    found = localities.groups(
        (
            endpoint(1, "r1", version="v1", network="a"),
            endpoint(2, "r1", version="v2", network="a"),
            endpoint(3, "r1", version="v2", network="b"),
        )
    )
    client = Client("r1", {"network": "a"})
    chosen = Setting({"failoverPriority": ["version=v1", "network"]}, failover=True)
    result = localities.arrange(found, client, chosen)
    assert [[one.address for one in group.members] for group in result] == [
        ["1.1.1.1"],
        ["1.1.1.2", "1.1.1.3"],
    ]
    by_network = Setting({"failoverPriority": ["network", "version=v1"]}, failover=True)
    result = localities.arrange(found, client, by_network)
    assert [one.priority for one in result] == [0, 1, 2]


def test_without_outlier_detection_nothing_fails_over() -> None:
    chosen = Setting({"failover": [{"from": "r1", "to": "r2"}]}, failover=False)
    assert localities.arrange(spread(), Client("r1", {}), chosen) == spread()


_WRITTEN = st.sampled_from(
    [
        {},
        {"failover": [{"from": "r1", "to": "r2"}]},
        {"failoverPriority": ["a", "b=1"]},
        {"failoverPriority": ["a"], "failover": [{"from": "r1", "to": "r3"}]},
    ]
)
_ENDPOINTS = st.lists(
    st.builds(
        lambda number, locality, a, b: endpoint(number, locality, a=a, b=b),
        st.integers(1, 250),
        st.sampled_from([*REGIONS, "", "r1"]),
        st.sampled_from("01"),
        st.sampled_from("01"),
    ),
    max_size=8,
)


@given(_ENDPOINTS, st.sampled_from([*REGIONS, ""]), _WRITTEN)
def test_failover_loses_nobody(found: list[Endpoint], client: str, written: dict[str, Any]) -> None:
    """Every endpoint is there once, and priorities count from 0 without gaps."""
    chosen = Setting(written, failover=True)
    result = localities.arrange(localities.groups(found), Client(client, {"a": "1"}), chosen)
    members = [one for group in result for one in group.members]
    assert sorted(one.address for one in members) == sorted(one.address for one in found)
    used = {one.priority for one in result}
    assert used == set(range(len(used)))


OUTLIERS = """
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: reviews}
spec:
  host: reviews
  trafficPolicy: {outlierDetection: {}}
"""


def test_clients_at_different_places_share_no_endpoints_but_those_at_one_do() -> None:
    mesh = bookinfo()
    places = {"a": "r1.z1", "b": "r2.z1", "c": "r1.z1"}
    pods = {
        name: mesh.pod(name, labels={"istio-locality": place}) for name, place in places.items()
    }
    mesh.pod("reviews", "v9", labels={"istio-locality": "r2.z1"})
    mesh.apply(OUTLIERS)
    cluster = "outbound|9080||reviews.default.svc.cluster.local"
    found = {name: mesh.resources(pod).endpoints[cluster] for name, pod in pods.items()}
    assert found["a"] is found["c"]
    assert found["a"] != found["b"]
    near = [one for one in found["b"]["endpoints"] if not one.get("priority")]
    assert [one["locality"] for one in near] == [{"region": "r2", "zone": "z1"}]


def test_a_node_gives_its_pods_their_place() -> None:
    mesh = bookinfo()
    mesh.add(
        {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {
                "name": "n",
                "labels": {
                    "topology.kubernetes.io/region": "r1",
                    "topology.kubernetes.io/zone": "z1",
                },
            },
        }
    )
    pod = mesh.pod("client")
    obj = next(
        one for kind in mesh.objects.values() for one in kind if one["metadata"]["name"] == pod
    )
    mesh.add({**obj, "spec": {**obj["spec"], "nodeName": "n"}})
    workload = mesh.proxy(pod).workload
    assert workload.locality == "r1/z1/"
    assert workload.topology["kubernetes.io/hostname"] == "n"


def test_a_services_traffic_distribution_prefers_the_same_node() -> None:
    mesh = bookinfo()
    mesh.service("near", trafficDistribution="PreferSameZone")
    pods = [
        mesh.pod("near", place.replace(".", "-"), labels={"istio-locality": place})
        for place in ("r1.z1", "r1.z2")
    ]
    endpoints = mesh.resources(pods[0]).endpoints["outbound|9080||near.default.svc.cluster.local"]
    assert [
        (one["locality"]["zone"], one.get("priority", 0)) for one in endpoints["endpoints"]
    ] == [
        ("z1", 0),
        ("z2", 1),
    ]
