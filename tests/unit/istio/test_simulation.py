"""Requests followed through generated configuration: tables of rule, request and where it ends."""

from __future__ import annotations

from typing import Any

import pytest

from meshcourse import simulate
from meshcourse.simulate import Request
from tests.unit.istio.mesh import BOOKINFO_GATEWAY, REVIEWS_SUBSETS, Mesh, bookinfo

V1 = "{destination: {host: reviews, subset: v1}}"
V2 = "{destination: {host: reviews, subset: v2}}"


def cluster(subset: str = "", host: str = "reviews", port: int = 9080) -> str:
    return f"outbound|{port}|{subset}|{host}.default.svc.cluster.local"


def rule(
    http: str, hosts: str = "[reviews]", name: str = "reviews", namespace: str = "default"
) -> str:
    return f"""
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: {name}, namespace: {namespace}}}
spec: {{hosts: {hosts}, http: {http}}}
"""


def mesh_with(*texts: str) -> Mesh:
    mesh = bookinfo()
    for text in (REVIEWS_SUBSETS, *texts):
        mesh.apply(text)
    return mesh


def ask(mesh: Mesh, authority: str = "reviews:9080", **more: Any) -> simulate.Outcome:
    resources = mesh.resources("productpage-v1-5d8f-1")
    return simulate.outbound(resources, Request(authority, **more))


@pytest.mark.parametrize(
    "authority",
    [
        "reviews:9080",
        "REVIEWS:9080",
        "reviews.default:9080",
        "reviews.default.svc:9080",
        "reviews.default.svc.cluster.local:9080",
        "127.66.200.3:9080",
    ],
)
def test_every_name_of_a_service_reaches_it(authority: str) -> None:
    outcome = ask(bookinfo(), authority)
    assert outcome.ok
    assert outcome.clusters == {cluster(): 100.0}
    assert len(outcome.endpoints[cluster()]) == 3


@pytest.mark.parametrize("authority", ["reviews:80", "reviews", "nowhere:9080", "example.com"])
def test_other_names_leave_the_mesh(authority: str) -> None:
    outcome = ask(bookinfo(), authority)
    assert outcome.clusters == {"PassthroughCluster": 100.0}


def test_short_names_belong_to_their_namespace() -> None:
    mesh = bookinfo()
    mesh.service("shop", namespace="other")
    mesh.pod("shop", namespace="other")
    assert ask(mesh, "shop.other:9080").ok
    assert ask(mesh, "shop:9080").clusters == {"PassthroughCluster": 100.0}


def test_jason_reaches_v2_others_v1() -> None:
    mesh = mesh_with(
        rule(
            f"[{{match: [{{headers: {{end-user: {{exact: jason}}}}}}], route: [{V2}]}}, {{route: [{V1}]}}]"
        )
    )
    jason = ask(mesh, headers={"end-user": "jason"})
    assert jason.clusters == {cluster("v2"): 100.0}
    assert jason.endpoints[cluster("v2")] == ("127.66.0.4:9080",)
    assert ask(mesh).clusters == {cluster("v1"): 100.0}


def test_weights() -> None:
    mesh = mesh_with(rule(f"[{{route: [{V1[:-1]}, weight: 80}}, {V2[:-1]}, weight: 20}}]}}]"))
    assert ask(mesh).clusters == {cluster("v1"): 80.0, cluster("v2"): 20.0}


def test_zero_weights_are_left_out() -> None:
    mesh = mesh_with(rule(f"[{{route: [{V1[:-1]}, weight: 100}}, {V2[:-1]}, weight: 0}}]}}]"))
    assert ask(mesh).clusters == {cluster("v1"): 100.0}


def test_nothing_follows_a_route_that_catches_everything() -> None:
    mesh = mesh_with(
        rule(f"[{{route: [{V1}]}}, {{match: [{{uri: {{prefix: /x}}}}], route: [{V2}]}}]")
    )
    assert ask(mesh, path="/x").clusters == {cluster("v1"): 100.0}


def test_no_route_matched() -> None:
    mesh = mesh_with(rule(f"[{{match: [{{uri: {{exact: /only}}}}], route: [{V1}]}}]"))
    outcome = ask(mesh, path="/other")
    assert (outcome.status, outcome.flag) == (404, "NR")
    assert "no route of reviews.default.svc.cluster.local:9080 matches" in outcome.failure


def test_an_unknown_subset_and_an_empty_one() -> None:
    mesh = mesh_with(rule("[{route: [{destination: {host: reviews, subset: v9}}]}]"))
    outcome = ask(mesh)
    assert (outcome.flag, outcome.status) == ("NC", 503)
    mesh.apply(
        REVIEWS_SUBSETS.replace(
            "{name: v3, labels: {version: v3}}", "{name: v9, labels: {version: v9}}"
        )
    )
    outcome = ask(mesh)
    assert (outcome.flag, outcome.failure) == (
        "UH",
        f"no healthy upstream: cluster {cluster('v9')} has no endpoints",
    )


def test_redirect_direct_response_and_certain_abort() -> None:
    assert ask(mesh_with(rule("[{redirect: {uri: /x, redirectCode: 302}}]"))).status == 302
    assert ask(mesh_with(rule("[{directResponse: {status: 418}}]"))).status == 418
    abort = "{abort: {httpStatus: 555, percentage: {value: 100}}}"
    outcome = ask(mesh_with(rule(f"[{{fault: {abort}, route: [{V1}]}}]")))
    assert (outcome.status, outcome.flag) == (555, "FI")


def test_mirrors_are_named() -> None:
    mirror = "mirror: {host: ratings}, mirrorPercentage: {value: 25}"
    outcome = ask(mesh_with(rule(f"[{{{mirror}, route: [{V1}]}}]")))
    assert outcome.mirrors == {cluster("", "ratings"): 25.0}


def test_the_route_names_its_origin() -> None:
    outcome = ask(mesh_with(rule(f"[{{name: main, route: [{V1}]}}]")))
    step = next(one for one in outcome.steps if one.kind == "route")
    assert step.name == "main"
    assert step.detail.endswith("/namespaces/default/virtual-service/reviews")


def test_the_oldest_rule_for_a_host_wins() -> None:
    mesh = mesh_with(rule(f"[{{route: [{V1}]}}]"), rule(f"[{{route: [{V2}]}}]", name="younger"))
    assert ask(mesh).clusters == {cluster("v1"): 100.0}
    mesh.delete("VirtualService", "reviews")
    assert ask(mesh).clusters == {cluster("v2"): 100.0}


def test_an_exact_host_goes_before_a_wildcard() -> None:
    mesh = mesh_with(
        rule(
            "[{directResponse: {status: 299}}]",
            hosts="['*.default.svc.cluster.local']",
            name="wide",
        ),
        rule(f"[{{route: [{V1}]}}]"),
    )
    assert ask(mesh).clusters == {cluster("v1"): 100.0}
    assert ask(mesh, "ratings:9080").status == 299


def test_a_rule_for_a_host_outside_the_registry_applies_to_port_80() -> None:
    mesh = mesh_with(rule("[{directResponse: {status: 299}}]", hosts="[made.up]", name="up"))
    assert ask(mesh, "made.up").status == 299
    assert ask(mesh, "made.up:80").status == 299
    assert ask(mesh, "made.up:81").clusters == {"PassthroughCluster": 100.0}


def test_registry_only_blocks_the_rest() -> None:
    mesh = bookinfo()
    mesh.add(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "istio", "namespace": "istio-system"},
            "data": {"mesh": "outboundTrafficPolicy: {mode: REGISTRY_ONLY}"},
        }
    )
    outcome = ask(mesh, "example.com")
    assert (outcome.status, outcome.step("virtual host")) == (502, "block_all")


def test_rules_of_other_namespaces_need_to_be_exported() -> None:
    text = rule(
        "[{directResponse: {status: 299}}]",
        hosts="[reviews.default.svc.cluster.local]",
        namespace="other",
    )
    mesh = mesh_with(text)
    assert ask(mesh).status == 299
    mesh = mesh_with(text.replace("spec: {", "spec: {exportTo: ['.'], "))
    assert ask(mesh).clusters == {cluster(): 100.0}


def test_source_labels_divide_the_scopes() -> None:
    match = "[{sourceLabels: {app: productpage}}]"
    mesh = mesh_with(rule(f"[{{match: {match}, route: [{V1}]}}, {{route: [{V2}]}}]"))
    assert ask(mesh).clusters == {cluster("v1"): 100.0}
    ratings = mesh.resources("ratings-v1-5d8f-6")
    assert simulate.outbound(ratings, Request("reviews:9080")).clusters == {cluster("v2"): 100.0}


GATEWAY_POD = "istio-ingressgateway-v1-5d8f-7"


def enter(mesh: Mesh, port: int = 8080, **more: Any) -> simulate.Outcome:
    resources = mesh.resources(GATEWAY_POD, "istio-system")
    return simulate.gateway(resources, Request(**{"authority": "any", **more}), port)


def test_the_gateway_before_and_after() -> None:
    mesh = bookinfo()
    assert "connection refused" in enter(mesh).failure
    first, second = BOOKINFO_GATEWAY.split("---")
    mesh.apply(first)
    assert enter(mesh, path="/productpage").status == 404
    mesh.apply(second)
    outcome = enter(mesh, path="/productpage")
    assert outcome.clusters == {cluster("", "productpage"): 100.0}
    assert enter(mesh, path="/static/x").ok
    assert enter(mesh, path="/other").flag == "NR"


def test_a_rule_bound_to_a_gateway_does_not_touch_the_mesh() -> None:
    mesh = mesh_with(BOOKINFO_GATEWAY)
    outcome = ask(mesh, "productpage:9080")
    assert [one.detail for one in outcome.steps if one.kind == "route"] == [""]


STRICT = """
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: default, namespace: istio-system}
spec: {mtls: {mode: STRICT}}
"""
WEB = "spiffe://cluster.local/ns/default/sa/bookinfo-productpage"


def arrive(
    mesh: Mesh, pod: str = "reviews-v1-5d8f-3", port: int = 9080, **more: Any
) -> simulate.Outcome:
    request = Request(**{"authority": "reviews:9080", **more})
    return simulate.inbound(mesh.resources(pod), request, port)


def test_permissive_and_strict() -> None:
    mesh = bookinfo()
    assert arrive(mesh, principal=WEB).step("filter chain") == "mtls_9080"
    assert arrive(mesh).step("filter chain") == "plaintext_9080"
    assert arrive(mesh).endpoints == {"inbound|9080||": ("127.66.128.3:9080",)}
    mesh.apply(STRICT)
    assert arrive(mesh, principal=WEB).ok
    assert "mutual TLS is required" in arrive(mesh).failure
    assert "connection refused" in arrive(mesh, port=1234).failure


POLICY = """
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {{name: one}}
spec: {{selector: {{matchLabels: {{app: reviews}}}}, action: {action}, rules: {rules}}}
"""


def test_authorization() -> None:
    mesh = bookinfo()
    mesh.apply(
        POLICY.format(
            action="ALLOW",
            rules="[{from: [{source: {principals: [cluster.local/ns/default/sa/bookinfo-productpage]}}],"
            " to: [{operation: {methods: [GET], paths: [/reviews/*]}}]}]",
        )
    )
    assert arrive(mesh, principal=WEB, path="/reviews/0").ok
    denied = arrive(mesh, principal=WEB, path="/other")
    assert (denied.status, denied.failure) == (403, "RBAC: no ALLOW policy matched")
    assert arrive(mesh, path="/reviews/0").status == 403
    mesh.apply(POLICY.format(action="DENY", rules="[{to: [{operation: {paths: [/reviews/0]}}]}]"))
    assert (
        arrive(mesh, path="/reviews/0").failure
        == "RBAC: denied by AuthorizationPolicy one in default (rule 0)"
    )
    assert arrive(mesh, path="/reviews/1").ok


def test_what_the_sidecar_sends_arrives() -> None:
    """From one application to the next, through both sidecars."""
    mesh = mesh_with(rule(f"[{{route: [{V2}]}}]"), STRICT)
    outcome = ask(mesh)
    ((address,),) = outcome.endpoints.values()
    workloads = mesh.snapshot().workloads
    pod = next(one for one in workloads.values() if address.startswith(f"{one.addresses.pod_ip}:"))
    end = simulate.inbound(
        mesh.resources(pod.name), Request("reviews:9080", principal=WEB), int(address.split(":")[1])
    )
    assert end.endpoints == {"inbound|9080||": (f"{pod.addresses.app_ip}:9080",)}


def test_another_name_for_a_service_is_routed_like_it() -> None:
    mesh = bookinfo()
    spec = {"type": "ExternalName", "clusterIP": None, "selector": None}
    mesh.service("alias", externalName="reviews.default.svc.cluster.local", **spec)
    mesh.service("outside", 80, externalName="example.org", **spec)
    assert ask(mesh, "alias:9080").clusters == {cluster(): 100.0}
    outside = "outbound|80||outside.default.svc.cluster.local"
    assert ask(mesh, "outside").clusters == {outside: 100.0}
    resources = mesh.resources("productpage-v1-5d8f-1")
    assert resources.clusters[outside]["type"] == "STRICT_DNS"
    assert not any("alias" in name for name in resources.clusters)
