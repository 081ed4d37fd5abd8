"""Objects that the webhook lets through and Envoy refused, found by tests/integration/istio/test_accepted.py."""

from __future__ import annotations

from typing import Any

from meshcourse.embedded.istio import validate
from tests.unit.istio.mesh import Mesh, bookinfo

POD = "productpage-v1-5d8f-1"


def entry(spec: str) -> Mesh:
    mesh = bookinfo()
    mesh.apply(f"""
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: one}}
spec: {{hosts: [one.example], ports: [{{number: 80, name: http, protocol: HTTP}}], {spec}}}
""")
    return mesh


def cluster(mesh: Mesh) -> Any:
    return mesh.resources(POD).clusters["outbound|80||one.example"]


def test_endpoints_without_address_or_with_a_name_are_left_out_of_static_ones() -> None:
    mesh = entry("resolution: STATIC, endpoints: [{network: n}]")
    assert not mesh.resources(POD).endpoints["outbound|80||one.example"]["endpoints"]
    mesh = entry("resolution: STATIC, workloadSelector: {labels: {app: vm}}")
    mesh.apply("""
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: vm}
spec: {address: vm.example, labels: {app: vm}}
""")
    assert not mesh.resources(POD).endpoints["outbound|80||one.example"]["endpoints"]


def test_an_address_twice_is_one_domain() -> None:
    routes = entry("resolution: DNS, addresses: [127.0.0.9, 127.0.0.9]").resources(POD).routes
    domains = [one for host in routes["outbound"]["virtual_hosts"] for one in host["domains"]]
    assert len(domains) == len(set(domains))


def test_dns_round_robin_without_a_name_is_resolved_by_nobody() -> None:
    mesh = entry("resolution: DNS_ROUND_ROBIN, workloadSelector: {labels: {app: nobody}}")
    assert cluster(mesh)["type"] == "STRICT_DNS"
    assert cluster(entry("resolution: DNS_ROUND_ROBIN"))["type"] == "LOGICAL_DNS"


def test_a_delegate_without_a_name_is_no_route() -> None:
    mesh = bookinfo()
    mesh.apply("""
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: one}
spec: {hosts: [reviews], http: [{delegate: {}}, {directResponse: {status: 200}}]}
""")
    hosts = mesh.resources(POD).routes["outbound"]["virtual_hosts"]
    (found,) = (one for one in hosts if one["name"].startswith("reviews.default"))
    assert [one for one in found["routes"] if "direct_response" in one]
    assert not [one for one in found["routes"] if "weighted_clusters" in one.get("route", {})]


def test_a_status_that_is_none() -> None:
    found = validate.check(
        {
            "apiVersion": "networking.istio.io/v1",
            "kind": "VirtualService",
            "metadata": {"name": "one", "namespace": "default"},
            "spec": {"hosts": ["a"], "http": [{"directResponse": {"status": 600}}]},
        }
    )
    assert found.errors == ["HTTP status 600 is not in range 200-599"]
