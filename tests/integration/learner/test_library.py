"""What a learner types, against a real embedded mesh."""

from __future__ import annotations

import http.client
import time
import urllib.request

import pytest

from meshcourse import course
from meshcourse.cluster import portforward, reach
from meshcourse.cluster.errors import ApiError, WaitError


def get(url: str) -> tuple[int, str]:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=10) as response:
        return response.status, response.read().decode()


def test_services_have_urls_that_this_machine_can_open(mesh: course.Mesh) -> None:
    status, page = get(str(mesh.link("/productpage")))
    assert status == 200
    assert "Comedy of Errors" in page
    status, text = get(mesh.url("details", path="/details/0"))
    assert status == 200
    assert "ISBN-13" in text


def test_a_request_is_followed_through_two_envoys_a_call(mesh: course.Mesh) -> None:
    from meshcourse.observe import journey

    found = journey.follow(mesh, "/productpage")
    assert found.status == 200
    apps = [(hop.app, hop.entry.inbound) for hop in found.hops]
    assert apps[:4] == [
        ("istio-ingressgateway", False),
        ("productpage", True),
        ("productpage", False),
        ("details", True),
    ]
    assert ("reviews", True) in apps
    assert len(found.request_ids) == 1
    assert "answered 200" in repr(mesh.follow("/productpage"))


def test_a_user_signs_in_at_the_page(mesh: course.Mesh) -> None:
    found = mesh.traffic(
        "/productpage", n=20, rate=0, concurrency=2, user="jason", classified="jason"
    )
    assert found.failed == 0
    assert found.versions == {"jason": 20}


def test_the_picture_shows_every_pod(mesh: course.Mesh) -> None:
    text = repr(mesh.picture())
    assert "control plane: istiod; 8 Envoys in the data plane" in text
    assert text.count("Envoy +") == 6


def test_components_that_are_there_are_left_alone(mesh: course.Mesh) -> None:
    before = {pod["metadata"]["uid"] for pod in mesh.objects("pods", "*")}
    mesh.ensure("istio", "bookinfo")
    assert {pod["metadata"]["uid"] for pod in mesh.objects("pods", "*")} == before


def test_pods_without_sidecars_get_one(mesh: course.Mesh) -> None:
    mesh.patch("namespace", "default", {"metadata": {"labels": {"istio-injection": None}}})
    mesh.restart("ratings-v1")
    mesh.wait("deployment/ratings-v1")
    mesh.ensure("bookinfo")
    containers = [len(pod["status"]["containerStatuses"] + pod["status"].get("initContainerStatuses", []))
                  for pod in mesh.objects("pods", selector="app=ratings")]  # fmt: skip
    assert len(containers) == 1
    assert containers[0] >= 2


def test_server_side_apply_speaks_the_servers_words(mesh: course.Mesh) -> None:
    wrong = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: x}\nspec: {replica: 1}\n"
    (row,) = mesh.apply(wrong).rows
    assert row.outcome == "error"
    assert 'unknown field "spec.replica"' in row.message
    assert "indentation" in row.remedy


def test_waiting_says_what_is_missing_and_why(mesh: course.Mesh) -> None:
    mesh.kubectl("create", "deployment", "broken", "--image=example.org/no/such:1").check()
    try:
        with pytest.raises(WaitError) as error:
            mesh.wait("deployment/broken", timeout=4)
        assert "broken: 0 of 1 pods available" in error.value.message
        assert "example.org/no/such:1" in error.value.message
    finally:
        mesh.kubectl("delete", "deployment", "broken").check()


def test_a_port_forward_reaches_the_application_and_survives_a_new_pod(mesh: course.Mesh) -> None:
    port = reach.choose(mesh.service("details"))
    with portforward.PortForward(
        mesh.api, lambda: mesh.pick("default", "details", port)
    ) as forward:
        url = f"http://127.0.0.1:{forward.port}/details/0"
        assert get(url)[0] == 200
        mesh.restart("details-v1")
        mesh.wait("deployment/details-v1")
        assert get(url)[0] == 200
    with pytest.raises(OSError, match="refused"):
        http.client.HTTPConnection("127.0.0.1", forward.port, timeout=2).connect()


def test_the_official_client_is_offered(mesh: course.Mesh) -> None:
    from kubernetes import client

    with mesh.client as api:
        names = {item.metadata.name for item in client.CoreV1Api(api).list_namespace().items}
    assert {"default", "istio-system"} <= names


def test_a_change_can_be_watched_arriving(mesh: course.Mesh) -> None:
    rule = """
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: reviews}
spec: {host: reviews, subsets: [{name: v3, labels: {version: v3}}]}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews}
spec: {hosts: [reviews], http: [{route: [{destination: {host: reviews, subset: v3}}]}]}
"""
    try:
        with mesh.start_traffic("/productpage", seconds=5, rate=40) as run:
            while len(run.samples) < 40:
                assert run.running
                time.sleep(0.02)
            mesh.apply(rule).raise_on_error()
            changed = time.time()
            found = run.result()
        arrival = found.convergence(changed, {"v3"})
        assert found.failed == 0
        assert arrival.settled < 2.0
        assert found.versions["v3"] > 60
    finally:
        mesh.delete(rule).raise_on_error()


def test_an_unknown_object_is_a_clear_error(mesh: course.Mesh) -> None:
    with pytest.raises(ApiError, match=r'deployments.apps "nothing" not found'):
        mesh.get("deploy", "nothing")
