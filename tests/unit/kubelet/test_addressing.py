"""Addresses and ports: one address per pod, or ports of one address; what may not be bound is mapped."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from meshcourse.embedded.kube.addresses import PodAddresses
from meshcourse.embedded.kubelet import addressing
from meshcourse.embedded.kubelet.addressing import Allocator, Plan
from meshcourse.errors import MeshcourseError


def pod(
    uid: str, *ports: int, env: list[dict[str, str]] | None = None, **probes: Any
) -> dict[str, Any]:
    container = {"name": "app", "ports": [{"containerPort": port} for port in ports], **probes}
    container["env"] = env or []
    return {"metadata": {"uid": uid}, "spec": {"containers": [container]}}


def test_every_pod_has_two_addresses_of_the_cluster_s_range() -> None:
    allocator = Allocator(Plan(66))
    first, second = allocator.allocate(pod("a", 8080)), allocator.allocate(pod("b"))
    assert (first.pod_ip, first.app_ip, first.ports) == ("127.66.0.2", "127.66.128.2", {})
    assert second.pod_ip == "127.66.0.3"
    assert allocator.allocate(pod("a", 8080)) == first


def test_an_address_given_back_is_not_given_out_at_once() -> None:
    allocator = Allocator(Plan(66))
    first = allocator.allocate(pod("a"))
    allocator.release("a")
    assert allocator.allocate(pod("b")).pod_ip != first.pod_ip


def test_all_addresses_are_usable_and_different_until_none_is_left() -> None:
    allocator = Allocator(Plan(70))
    given: list[str] = []

    def take_all() -> None:
        for index in range(5000):
            given.append(allocator.allocate(pod(str(index))).pod_ip)

    with pytest.raises(MeshcourseError, match="no pod address is left"):
        take_all()
    assert len(set(given)) == len(given) > 4000
    assert all(ip.split(".")[3] not in ("0", "255") for ip in given)
    allocator.release("7")
    assert allocator.allocate(pod("again")).pod_ip == given[7]


def test_addresses_of_an_earlier_run_are_kept() -> None:
    allocator = Allocator(Plan(66))
    old = PodAddresses("127.66.0.2", "127.66.128.2")
    assert allocator.restore(pod("a"), old)
    assert allocator.allocate(pod("a")) == old
    assert allocator.allocate(pod("b")).pod_ip != old.pod_ip
    assert not allocator.restore(pod("c"), old)
    assert not allocator.restore(pod("d"), PodAddresses("127.99.0.2", "127.99.128.2"))


def test_ports_below_the_first_bindable_one_are_mapped() -> None:
    allocator = Allocator(Plan(66, first_port=1024))
    found = allocator.allocate(pod("a", 80, 8080, 10080))
    assert found.ports == {80: (10081, 10081)}
    assert found.pod(80) == ("127.66.0.2", 10081)
    assert found.pod(8080) == ("127.66.0.2", 8080)


def test_with_one_address_every_declared_and_probed_port_is_mapped() -> None:
    allocator = Allocator(Plan(66, "ports"))
    probe = {"httpGet": {"port": 9000, "path": "/"}}
    found = allocator.allocate(pod("a", 8080, readinessProbe=probe))
    assert (found.pod_ip, found.app_ip) == ("127.0.0.1", "127.0.0.1")
    assert set(found.ports) == {8080, 9000}
    assert all(pair[0] == pair[1] for pair in found.ports.values())
    other = allocator.allocate(pod("b", 8080))
    assert other.ports[8080] != found.ports[8080]


def test_ports_that_a_pod_uses_without_declaring_them_can_be_asked_for() -> None:
    asking = pod("a", 8080)
    asking["metadata"]["annotations"] = {"meshcourse.io/ports": "15001, 15020"}
    assert addressing.container_ports(asking) == {8080, 15001, 15020}
    assert set(Allocator(Plan(66, "ports")).allocate(asking).ports) == {8080, 15001, 15020}


def test_with_one_address_an_application_behind_a_sidecar_has_ports_of_its_own() -> None:
    env = [{"name": "MESHCOURSE_LISTEN_HOST", "value": "$(MESHCOURSE_APP_IP)"}]
    found = Allocator(Plan(66, "ports")).allocate(pod("a", 8080, env=env))
    pod_port, app_port = found.ports[8080]
    assert pod_port != app_port


def test_a_port_in_use_is_passed_over() -> None:
    ports = addressing.Ports(66)
    first = ports.take()
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", first + 1))
        busy.listen()
        assert ports.take() == first + 2
    ports.release([first])
    assert first not in ports._taken


def test_binding_problems_are_told() -> None:
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = busy.getsockname()[1]
        assert addressing.bind_problem("127.0.0.1", port) == "address already in use"
    assert addressing.bind_problem("127.0.0.1", port) == ""


def test_the_mode_can_be_forced_and_a_typo_is_refused() -> None:
    assert addressing.plan(66, {"MESHCOURSE_ADDRESSING": "ports"}).mode == "ports"
    assert addressing.plan(66, {"MESHCOURSE_ADDRESSING": "addresses"}).mode == "addresses"
    with pytest.raises(MeshcourseError, match="MESHCOURSE_ADDRESSING=port is unknown"):
        addressing.plan(66, {"MESHCOURSE_ADDRESSING": "port"})
