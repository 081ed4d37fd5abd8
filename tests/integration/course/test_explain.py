"""`mesh.explain`: what it says of a request is what happens to the request."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from meshcourse import course
from meshcourse.widgets.explained import View

REVIEWS = "http://reviews:9080/reviews/0"
CALLER = "deploy/productpage-v1"

SUBSETS = """
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: reviews}
spec: {host: reviews, subsets: [{name: v2, labels: {version: v2}}, {name: v9, labels: {version: v9}}]}
"""
RULE = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: reviews}}
spec: {{hosts: [reviews], http: {http}}}
"""
JASON = (
    "[{match: [{headers: {end-user: {exact: jason}}}],"
    " route: [{destination: {host: reviews, subset: v2}}]}]"
)
POLICIES = """
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: default}
spec: {mtls: {mode: STRICT}}
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: viewers}
spec:
  selector: {matchLabels: {app: ratings}}
  rules: [{from: [{source: {principals: [cluster.local/ns/default/sa/bookinfo-reviews]}}]}]
"""
OWN_TLS = """
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: ratings}
spec: {host: ratings, trafficPolicy: {tls: {mode: SIMPLE}}}
"""
STRANGER = """
apiVersion: v1
kind: Pod
metadata: {name: stranger, labels: {app: stranger, sidecar.istio.io/inject: "false"}}
spec: {containers: [{name: curl, image: "curlimages/curl:8.17.0", command: [sleep, "3600"]}]}
"""


@pytest.fixture
def clean(mesh: course.Mesh) -> Iterator[course.Mesh]:
    """The mesh, and afterwards without what these tests apply beside routing rules."""
    yield mesh
    mesh.delete(POLICIES)
    mesh.delete(STRANGER)
    mesh.delete(OWN_TLS)


def until(ask: Callable[[], View], good: Callable[[View], bool]) -> View:
    """The first explanation for which something is true: a rule needs a moment to arrive."""
    deadline = time.monotonic() + 20
    while not good(found := ask()):
        assert time.monotonic() < deadline, found
        time.sleep(0.05)
    return found


def test_a_request_is_followed_to_its_pod(mesh: course.Mesh) -> None:
    mesh.apply(SUBSETS + "---" + RULE.format(http=JASON))
    jason = until(
        lambda: mesh.explain(CALLER, REVIEWS, headers={"end-user": "jason"}),
        lambda found: "v2" in found.explanation.step("cluster"),
    ).explanation
    assert jason.ok
    assert "it arrives at reviews-v2" in jason.verdict
    assert [one.where.split()[-1] for one in jason.stations] == ["(outbound)", "(inbound)"]
    other = mesh.explain(CALLER, REVIEWS).explanation
    assert other.status == 404
    wanted = 'VirtualService reviews in default wants header end-user equal to "jason"'
    assert wanted in " ".join(other.hints)
    code = "import urllib.request as r; print(r.urlopen('http://reviews:9080/reviews/0').status)"
    asked = mesh.kubectl("exec", CALLER, "--", "python3", "-c", code)
    assert "404" in asked.output


def test_a_subset_without_pods_and_one_that_is_unknown(mesh: course.Mesh) -> None:
    for subset, flag in (("v9", "UH"), ("v8", "NC")):
        route = f"[{{route: [{{destination: {{host: reviews, subset: {subset}}}}}]}}]"
        mesh.apply(SUBSETS + "---" + RULE.format(http=route))
        found = until(
            lambda: mesh.explain(CALLER, REVIEWS),
            lambda found, flag=flag: flag in found.explanation.verdict,  # type: ignore[misc]
        )
        assert found.explanation.status == 503


def test_policies_are_named(clean: course.Mesh) -> None:
    clean.apply(POLICIES + "---" + STRANGER)
    clean.wait("pod/stranger")
    url = "http://ratings:9080/ratings/0"
    denied = until(
        lambda: clean.explain(CALLER, url), lambda found: found.explanation.status == 403
    ).explanation
    assert "AuthorizationPolicy viewers in default" in " ".join(denied.hints)
    assert "sa/bookinfo-productpage" in " ".join(denied.hints)
    assert clean.explain("deploy/reviews-v2", url).explanation.ok
    plain = until(
        lambda: clean.explain("pod/stranger", url), lambda found: not found.explanation.ok
    ).explanation
    assert "PeerAuthentication default in default says STRICT" in plain.hints


def test_tls_that_is_not_the_meshs_own(clean: course.Mesh) -> None:
    clean.apply(OWN_TLS)
    found = until(
        lambda: clean.explain("deploy/reviews-v2", "http://ratings:9080/ratings/0"),
        lambda found: "still encrypted" in found.explanation.verdict,
    ).explanation
    assert "[UF]" in found.verdict
    assert clean.explain(CALLER, REVIEWS).explanation.verdict.endswith("port 9080")


def test_from_outside(mesh: course.Mesh) -> None:
    inside = mesh.explain("", "/productpage").explanation
    assert inside.ok
    assert "it arrives at productpage-v1" in inside.verdict
    lost = mesh.explain("", "/nothing-here").explanation
    assert (lost.ok, lost.status) == (False, 404)
    assert "VirtualService bookinfo in default" in " ".join(lost.hints)
    assert mesh.traffic("/nothing-here", n=1, classified=None).statuses == {404: 1}
    assert "<table>" in mesh.explain("", "/productpage")._repr_html_()
